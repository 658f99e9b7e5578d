# SPDX-License-Identifier: Apache-2.0
"""What all tests of this folder together have called; by its name it comes last."""
from kubectl import function, wait_for
from rights import ACCOUNT, granted

IMAGE = "localhost/none:1"


def test_K30_K31_the_calls_of_the_whole_suite_are_what_is_granted(api, replicas, system, namespace):
    def told() -> int:
        return sum(each.get("count", 1) for each in
                   api.kubectl.get("events", "-n", namespace)["items"])
    api.kubectl.apply(function("wrong", namespace, image=IMAGE, serviceAccountName="x"),
                      function("right", namespace, image=IMAGE, warmInstances=1))
    replicas("--leader-elect").await_leading()
    wait_for(lambda: api.kubectl.get("pods", "-n", namespace)["items"], "a pod")
    wait_for(lambda: told() == 1, "an Event")
    # What is told again is counted up: the same fault in another generation.
    api.kubectl("patch", "wsf", "wrong", "-n", namespace, "--type=merge", "-p",
                '{"spec": {"maxInstances": 5}}')
    wait_for(lambda: told() == 2, "the same Event again")
    called = {(verb, resource) for each in api.kubectl.get("namespaces")["items"]
              for verb, resource, _ in api.calls_of(ACCOUNT.format(each["metadata"]["name"]))}
    may = granted(system)
    assert called <= may, f"called and not granted: {called - may}"
    # A write of the status that meets another's is looked up: that cannot be made to happen here.
    assert may - called <= {("get", "websocketfunctions")}, f"not called: {may - called}"
