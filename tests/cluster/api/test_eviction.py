# SPDX-License-Identifier: Apache-2.0
"""Which instances a cluster may take off their nodes (K25), on a real API server."""
import json

from kubectl import Refused, function, wait_for

IMAGE = "localhost/none:1"
KEPT = "cluster-autoscaler.kubernetes.io/safe-to-evict"


def evict(api, pod: dict) -> str:
    """What a drain is told; "" = it is evicted."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    try:
        api.kubectl("create", "--raw", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", "-f", "-",
                    stdin=json.dumps(body))
        return ""
    except Refused as error:
        return str(error)


def one_pod(api, namespace: str, with_label: bool) -> dict:
    def found() -> dict | None:
        pods = [each for each in api.kubectl.pods(namespace)
                if ("wsf.dev/eviction" in each["metadata"]["labels"]) == with_label]
        return pods[0] if len(pods) == len(api.kubectl.pods(namespace)) == 1 else None
    return wait_for(found, "one pod")


def budget(api, namespace: str) -> dict | None:
    return api.kubectl.find("pdb", "wsf-f", "-n", namespace)


def test_K25_Never_has_a_budget_that_a_drain_respects(api, replicas, namespace):
    api.kubectl.apply(function("f", namespace, image=IMAGE, warmInstances=1, eviction="Never"))
    first = replicas("--max-eviction=Never").await_leading()
    made = wait_for(lambda: budget(api, namespace), "a budget")
    owner, = made["metadata"]["ownerReferences"]
    assert owner["uid"] == api.kubectl.get("wsf", "f", "-n", namespace)["metadata"]["uid"] and owner["controller"]
    pod = one_pod(api, namespace, True)
    assert made["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert pod["metadata"]["annotations"][KEPT] == "false"
    # One that does not run yet may go whatever a budget says.
    running = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    api.kubectl("patch", "pod", pod["metadata"]["name"], "-n", namespace, "--subresource=status", "--type=merge",
                "-p", json.dumps(running))
    assert "disruption budget" in evict(api, pod)
    # Another operator leaves it as it is, in whatever order it hears of both.
    first.close()
    replicas("--max-eviction=Never").await_leading()
    wait_for(lambda: api.kubectl.condition(namespace, "f", "Ready"), "it has seen the function")
    assert budget(api, namespace)["metadata"]["uid"] == made["metadata"]["uid"]
    # Somebody takes it away.
    api.kubectl("delete", "pdb", "wsf-f", "-n", namespace)
    wait_for(lambda: budget(api, namespace), "it is made again")
    # And the function does.
    api.kubectl("patch", "wsf", "f", "-n", namespace, "--type=merge", "-p", '{"spec": {"eviction": "Always"}}')
    wait_for(lambda: budget(api, namespace) is None, "it goes")
    pod = one_pod(api, namespace, False)
    assert KEPT not in pod["metadata"]["annotations"]
    assert evict(api, pod) == ""


def test_K25_OnUpgrade_holds_up_no_drain(api, replicas, namespace):
    api.kubectl.apply(function("f", namespace, image=IMAGE, warmInstances=1, eviction="OnUpgrade"))
    replicas().await_leading()
    pod = one_pod(api, namespace, False)
    assert pod["metadata"]["annotations"][KEPT] == "false"
    assert budget(api, namespace) is None and evict(api, pod) == ""


def test_K25_K22_Never_is_for_those_whom_the_administrator_grants_it(api, replicas, namespace):
    api.kubectl.apply(function("f", namespace, image=IMAGE, eviction="Never"))
    replicas().await_leading()
    told = wait_for(lambda: api.kubectl.condition(namespace, "f", "Ready").get("message"), "a condition")
    assert "spec.eviction must be Always or OnUpgrade" in told
    assert budget(api, namespace) is None


def test_K25_a_budget_of_that_name_that_is_not_ours_is_left_alone(api, replicas, namespace):
    theirs = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
              "metadata": {"name": "wsf-f", "namespace": namespace},
              "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "theirs"}}}}
    api.kubectl.apply(theirs)
    api.kubectl.apply(function("f", namespace, image=IMAGE, warmInstances=1, eviction="Never"))
    replica = replicas("--max-eviction=Never").await_leading()
    wait_for(lambda: replica.lines("disruption budget not written"), "it is told")
    one_pod(api, namespace, True)
    assert budget(api, namespace)["spec"] == theirs["spec"] | {"selector": theirs["spec"]["selector"]}
