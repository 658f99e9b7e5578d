# SPDX-License-Identifier: Apache-2.0
"""That all rights of the operator are needed. That it needs no other, whatever it does, is asked of
the audit log when the tests of this folder are over (conftest.py)."""
import reports
from kubectl import function, wait_for
from rights import ACCOUNT, granted

IMAGE = "localhost/none:1"
# A write of the status that meets another's is looked up: that cannot be made to happen here.
UNPROVOKED = {("get", "websocketfunctions")}


def test_K30_K31_every_right_is_used(api, programs, replicas, system, namespace, tmp_path):
    def told() -> int:
        return sum(each.get("count", 1) for each in
                   api.kubectl.get("events", "-n", namespace)["items"])
    api.kubectl.apply(function("wrong", namespace, image=IMAGE, serviceAccountName="x"),
                      function("right", namespace, image=IMAGE, warmInstances=1))
    replica = replicas("--leader-elect", "--max-eviction=Never").await_leading()
    pod, = wait_for(lambda: api.kubectl.pods(namespace), "a pod")
    wait_for(lambda: told() == 1, "an Event")
    # What is told again is counted up: the same fault in another generation.
    api.kubectl("patch", "wsf", "wrong", "-n", namespace, "--type=merge", "-p",
                '{"spec": {"maxInstances": 5}}')
    wait_for(lambda: told() == 2, "the same Event again")
    # Whose label is gone is looked for, and gets it back.
    name = pod["metadata"]["name"]
    api.kubectl("label", "pod", name, "-n", namespace, "wsf.dev/function-")
    wait_for(lambda: "wsf.dev/function" in
             api.kubectl.get("pod", name, "-n", namespace)["metadata"]["labels"], "its label is back")
    # A budget comes, and goes again.
    for eviction, there in (("Never", True), ("Always", False)):
        api.kubectl("patch", "wsf", "right", "-n", namespace, "--type=merge", "-p",
                    f'{{"spec": {{"eviction": "{eviction}"}}}}')
        wait_for(lambda: (api.kubectl.find("pdb", "wsf-right", "-n", namespace) is not None) == there, "a budget")
    pod, = wait_for(lambda: len(found := api.kubectl.pods(namespace)) == 1 and found, "one pod again")
    who = reports.of_pod(pod, reports.token_of(api.kubectl, namespace, pod))
    report = reports.ended(pod["metadata"]["uid"])
    assert reports.send(programs / "wsf-report", f"{replica.ip}:9443", who, report, tmp_path) == (
        reports.ACKNOWLEDGED, "")
    api.kubectl("delete", "wsf", "right", "-n", namespace, "--wait=true")
    wait_for(lambda: not api.kubectl.pods(namespace), "its pods are freed")

    def unused() -> set[tuple[str, str]]:
        called = {(verb, resource) for verb, resource, _ in api.calls_of(ACCOUNT.format(system))}
        return granted(system) - called - UNPROVOKED
    wait_for(lambda: not unused(), "every right is used, the lease's renewal last")
