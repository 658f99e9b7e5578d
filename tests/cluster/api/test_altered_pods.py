# SPDX-License-Identifier: Apache-2.0
"""What a cluster's administrators put between the operator and its pods: webhooks, quotas, limits."""
import json

import pytest

from kubectl import Refused, function, wait_for
from webhook import Webhook

IMAGE = "localhost/none:1"
TAKEN = [{"op": "remove", "path": "/spec/initContainers/0/restartPolicy"}]
ADDED = [{"op": "add", "path": "/spec/containers/-", "value": {
    "name": "mesh", "image": IMAGE, "securityContext": {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}}]


@pytest.fixture
def webhook(api, namespace):
    """Starts one for the namespace, and waits until the API server asks it."""
    webhooks = []

    def start(patch: list[dict]) -> None:
        asked = []
        webhooks.append(Webhook(api, namespace, lambda pod: asked.append(pod) or patch))
        probe = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": namespace},
                 "spec": {}}

        def is_asked() -> bool:
            try:
                api.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(probe))
            except Refused:
                pass
            return bool(asked)
        wait_for(is_asked, "the webhook is asked")
    yield start
    for each in webhooks:
        each.close()


def told(api, namespace: str, words: str, kind: str = "Ready") -> dict:
    def found() -> dict | None:
        condition = api.kubectl.condition(namespace, "f", kind)
        return condition if words in condition.get("message", "") else None
    return wait_for(found, f"the condition says {words}")


def test_K20_a_webhook_that_takes_restartPolicy_is_told_and_not_waited_for(api, replicas, namespace, webhook):
    webhook(TAKEN)
    api.kubectl.apply(function("f", namespace, image=IMAGE, warmInstances=1, initTimeoutSeconds=300))
    replicas().await_leading()
    assert told(api, namespace, "webhook")["status"] == "False"
    assert told(api, namespace, "webhook", "Stalled")["reason"] == "ContainerInitError"
    wait_for(lambda: any("webhook" in each["message"] and each["type"] == "Warning"
                         for each in api.kubectl.get("events", "-n", namespace)["items"]), "an Event says so")


def test_K20_I9_a_container_that_a_webhook_adds_is_tolerated_and_goes_with_the_pod(api, replicas, namespace,
                                                                                    webhook):
    webhook(ADDED)
    api.kubectl.apply(function("f", namespace, image=IMAGE, warmInstances=1, initTimeoutSeconds=300))
    replicas().await_leading()
    pod, = wait_for(lambda: api.kubectl.pods(namespace), "a pod")
    assert [each["name"] for each in pod["spec"]["containers"]] == ["relay", "mesh"]
    name = pod["metadata"]["name"]

    def state(**what) -> dict:
        return {"image": IMAGE, "imageID": "", "ready": False, "restartCount": 0, **what}
    # The relay has ended without a session; the other one would run for ever.
    status = {"containerStatuses": [
        state(name="relay", state={"terminated": {"exitCode": 0, "message": ""}}),
        state(name="mesh", state={"running": {}})]}
    api.kubectl("patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p",
                json.dumps({"status": status}))
    wait_for(lambda: name not in [each["metadata"]["name"] for each in api.kubectl.pods(namespace)],
             "the pod goes")


def test_K22_a_LimitRange_that_refuses_the_relay_is_told(api, replicas, namespace):
    api.kubectl.apply({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l", "namespace": namespace},
                       "spec": {"limits": [{"type": "Container", "min": {"memory": "16Mi"}}]}})
    api.kubectl.apply(function("f", namespace, image=IMAGE, warmInstances=1,
                               resources={"requests": {"memory": "32Mi"}, "limits": {"memory": "64Mi"}}))
    replicas().await_leading()
    assert told(api, namespace, "minimum memory usage per Container", "Stalled")["reason"] == "InsufficientResources"


def test_K22_with_resources_that_the_LimitRange_takes_the_relay_is_made(api, replicas, namespace):
    api.kubectl.apply({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l", "namespace": namespace},
                       "spec": {"limits": [{"type": "Container", "min": {"memory": "16Mi"}}]}})
    api.kubectl.apply(function("f", namespace, image=IMAGE, warmInstances=1,
                               resources={"requests": {"memory": "32Mi"}, "limits": {"memory": "64Mi"}}))
    replicas("--relay-memory-request=16Mi").await_leading()
    pod, = wait_for(lambda: api.kubectl.pods(namespace), "a pod")
    assert pod["spec"]["containers"][0]["resources"]["requests"]["memory"] == "16Mi"


def test_K21_K54_ids_by_the_cluster_and_a_secret_for_the_relays_image(api, replicas, namespace):
    api.kubectl.apply(function("f", namespace, image=IMAGE, warmInstances=1))
    replicas("--user-ids=cluster", "--relay-pull-secret=platform").await_leading()
    pod, = wait_for(lambda: api.kubectl.pods(namespace), "a pod, restricted as it is")
    assert pod["spec"]["imagePullSecrets"] == [{"name": "platform"}]
    for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        assert "runAsUser" not in container["securityContext"] and container["securityContext"]["runAsNonRoot"]
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
