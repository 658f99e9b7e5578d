# SPDX-License-Identifier: Apache-2.0
"""The operator on a real API server, with the rights that deploy/ grants and no more."""
import json
import signal
import time

import pytest

from kubectl import function, wait_for
from rights import ACCOUNT

IMAGE = "localhost/none:1"


def lease(api, system: str) -> dict:
    return api.kubectl.get("lease", "wsf-operator", "-n", system)["spec"]


def test_K33_the_empty_secrets_are_filled_and_a_restart_keeps_them(api, replicas, system):
    replicas().await_ready().end()
    before = api.kubectl.get("secrets", "-n", system)["items"]
    assert {name for each in before for name in each["data"]} == {
        "relay-authorities.pem", "gateway-authorities.pem", "claim.key", "ca.crt", "tls.crt", "tls.key"}
    replicas().await_ready().end()
    assert api.kubectl.get("secrets", "-n", system)["items"] == before


def test_K20_K21_the_pods_are_restricted_and_named_by_revision(api, replicas, namespace):
    api.kubectl.apply(function("echo", namespace, image=IMAGE, warmInstances=2))
    replicas().await_leading()
    made = wait_for(lambda: len(api.kubectl.pods(namespace)) == 2 and api.kubectl.pods(namespace), "two pods")
    revision = made[0]["metadata"]["labels"]["wsf.dev/revision"]
    assert {pod["metadata"]["name"] for pod in made} == {f"{revision}-1", f"{revision}-2"}
    owner = made[0]["metadata"]["ownerReferences"][0]
    assert owner["controller"] and "blockOwnerDeletion" not in owner


def test_contracts_several_replicas_one_leads_and_the_others_answer(api, replicas, system):
    first = replicas("--leader-elect").await_leading()
    second = replicas("--leader-elect").await_ready()
    wait_for(lambda: "live" in second.page("/sessions"), "the follower asks the leader")
    assert not second.leads()
    assert lease(api, system)["holderIdentity"] == f"{first.name}_{first.ip}"
    assert lease(api, system)["leaseDurationSeconds"] == 15
    assert second.probe("/healthz") == "ok"


def test_section_4_a_leader_that_ends_hands_over_at_once(api, replicas, system):
    first = replicas("--leader-elect").await_leading()
    second = replicas("--leader-elect").await_ready()
    term = lease(api, system)["leaseTransitions"]
    assert first.end() == 0
    second.await_leading()
    after = lease(api, system)
    assert after["holderIdentity"] == f"{second.name}_{second.ip}"
    assert after["leaseTransitions"] == term + 1


def test_section_4_a_killed_leader_is_followed_when_its_lease_is_over(replicas):
    first = replicas("--leader-elect").await_leading()
    second = replicas("--leader-elect").await_ready()
    first.end(signal.SIGKILL)
    second.await_leading()


def test_fault_13_a_leader_whose_lease_was_taken_ends(api, replicas, system):
    first = replicas("--leader-elect").await_leading()
    api.kubectl("patch", "lease", "wsf-operator", "-n", system, "--type=merge", "-p",
                json.dumps({"spec": {"holderIdentity": "other_127.0.0.9"}}))
    assert first.process.wait(60) == 1
    assert first.lines("lost the lease")


def test_K10_K51_drain_all_takes_the_lease_ends_what_runs_and_starts_nothing(api, replicas, system,
                                                                           namespace):
    api.kubectl.apply(function("echo", namespace, image=IMAGE, warmInstances=3))
    leader = replicas("--leader-elect").await_leading()
    wait_for(lambda: len(api.kubectl.pods(namespace)) == 3, "three pods")
    drain = replicas("--drain-all")
    assert drain.process.wait(120) == 0, drain.log.read_text()
    assert drain.lines("drained")
    assert api.kubectl.pods(namespace) == []
    assert leader.process.wait(60) == 1
    # Who comes after it waits: the Lease is kept for a minute.
    assert lease(api, system)["leaseDurationSeconds"] == 60
    api.kubectl("delete", "wsf", "echo", "-n", namespace)


def test_K10_a_deleted_function_leaves_no_pod_and_no_finalizer(api, replicas, namespace):
    api.kubectl.apply(function("echo", namespace, image=IMAGE, warmInstances=2))
    replicas().await_leading()
    wait_for(lambda: len(api.kubectl.pods(namespace)) == 2, "two pods")
    api.kubectl("delete", "wsf", "echo", "-n", namespace, "--wait=true")
    wait_for(lambda: api.kubectl.pods(namespace) == [], "no pod is left")


def test_K10_a_later_operator_frees_the_pods_of_a_function_that_has_gone(api, replicas, namespace):
    api.kubectl.apply(function("echo", namespace, image=IMAGE, warmInstances=1))
    first = replicas().await_leading()
    wait_for(lambda: len(api.kubectl.pods(namespace)) == 1, "a pod")
    first.end(signal.SIGKILL)
    api.kubectl("delete", "wsf", "echo", "-n", namespace)
    replicas().await_leading()
    wait_for(lambda: api.kubectl.pods(namespace) == [], "no pod is left")


def test_K04_K07_status_follows_the_generation_and_comes_to_rest(api, replicas, namespace):
    api.kubectl.apply(function("echo", namespace, image=IMAGE))
    replicas().await_leading()
    wait_for(lambda: api.kubectl.condition(namespace, "echo", "Ready").get("status") == "True", "ready")
    api.kubectl("patch", "wsf", "echo", "-n", namespace, "--type=merge", "-p",
                '{"spec": {"maxInstances": 0}}')
    wait_for(lambda: api.kubectl.condition(namespace, "echo", "Ready").get("reason") == "SwitchedOff",
             "switched off")
    found = api.kubectl.get("wsf", "echo", "-n", namespace)
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"] == 2
    assert api.kubectl("wait", "wsf/echo", "-n", namespace, "--for=condition=Ready=False",
                       "--timeout=10s")
    # I7: nothing changes any more, so nothing is written while another is written twice.
    version = found["metadata"]["resourceVersion"]
    api.kubectl.apply(function("other", namespace, image=IMAGE))
    for most in (0, 1):
        api.kubectl("patch", "wsf", "other", "-n", namespace, "--type=merge", "-p",
                    json.dumps({"spec": {"maxInstances": most}}))
        wait_for(lambda: api.kubectl.condition(namespace, "other", "Ready").get("status") ==
                 str(most == 1), "the other's status follows")
    assert api.kubectl.get("wsf", "echo", "-n", namespace)["metadata"]["resourceVersion"] == version


def test_D45_there_are_more_functions_than_a_page_has(api, replicas, namespace, system):
    for first in (0, 251):
        api.kubectl.apply(*(function(f"f{number}", namespace, image=IMAGE, maxInstances=0)
                            for number in range(first, min(first + 251, 501))))
    replicas().await_leading()

    def told() -> int:
        items = api.kubectl.get("wsf", "-n", namespace)["items"]
        return sum("conditions" in each.get("status", {}) for each in items)
    wait_for(lambda: told() == 501, "all have a status")
    lists = [each["requestURI"] for each in api.events_of(ACCOUNT.format(system))
             if each["verb"] == "list" and "websocketfunctions" in each["requestURI"]]
    assert any("continue=" in each for each in lists), "the second page was asked for"


def test_K11_a_host_belongs_to_the_older_function(api, replicas, namespace):
    hosts = {"hosts": [f"{namespace}.example.com"]}
    api.kubectl.apply(function("old", namespace, image=IMAGE, route=hosts))
    made = api.kubectl.get("wsf", "old", "-n", namespace)["metadata"]["creationTimestamp"]
    wait_for(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > made, "the next second")
    api.kubectl.apply(function("young", namespace, image=IMAGE, route=hosts))
    replicas().await_leading()
    stalled = wait_for(lambda: api.kubectl.condition(namespace, "young", "Stalled").get("reason") ==
                       "HostConflict" and api.kubectl.condition(namespace, "young", "Stalled"), "told so")
    assert f"{namespace}/old" in stalled["message"]
    assert api.kubectl.condition(namespace, "old", "Stalled")["status"] == "False"
    api.kubectl("delete", "wsf", "old", "-n", namespace)
    wait_for(lambda: api.kubectl.condition(namespace, "young", "Stalled")["status"] == "False",
             "the younger has it now")


@pytest.mark.parametrize("field", ["serviceAccountName", "runtimeClassName", "priorityClassName"])
def test_K08_K22_what_the_administrator_does_not_allow_is_stalled_and_told(api, replicas, namespace,
                                                                         field):
    api.kubectl.apply(function("echo", namespace, image=IMAGE, warmInstances=1,
                               **{field: "other"}))
    replicas().await_leading()
    stalled = wait_for(lambda: api.kubectl.condition(namespace, "echo", "Stalled").get("status") == "True"
                       and api.kubectl.condition(namespace, "echo", "Stalled"), "stalled")
    assert stalled["reason"] == "InvalidSpec" and f"spec.{field} must be one" in stalled["message"]
    described = wait_for(lambda: "InvalidSpec" in api.kubectl(
        "describe", "wsf", "echo", "-n", namespace) and api.kubectl(
            "get", "events", "-n", namespace), "an Event")
    assert f"spec.{field}" in described
    assert api.kubectl.pods(namespace) == []


def test_K22_what_the_administrator_allows_is_in_the_pod(api, replicas, namespace):
    api.kubectl("create", "serviceaccount", "worker", "-n", namespace)
    api.kubectl.apply(function("echo", namespace, image=IMAGE, warmInstances=1,
                               serviceAccountName="worker"))
    replicas("--allow-service-account=worker,other").await_leading()
    pod, = wait_for(lambda: api.kubectl.pods(namespace), "a pod")
    assert pod["spec"]["serviceAccountName"] == "worker"
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_D36_K22_every_field_of_a_pod_is_admitted_and_stays(api, replicas, namespace):
    api.kubectl("create", "serviceaccount", "worker", "-n", namespace)
    api.kubectl("create", "priorityclass", f"{namespace}-low", "--value=1")
    api.kubectl.apply({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "h",
                       "metadata": {"name": f"{namespace}-safe"}})
    spec = {
        "image": IMAGE, "warmInstances": 1, "serviceAccountName": "worker",
        "priorityClassName": f"{namespace}-low", "runtimeClassName": f"{namespace}-safe",
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c", "optional": True}}],
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}],
        "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": True}],
        "imagePullPolicy": "Always", "imagePullSecrets": [{"name": "s"}],
        "nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "zone",
                                       "whenUnsatisfiable": "ScheduleAnyway"}],
        "runAsUser": 7, "runAsGroup": 8, "fsGroup": 9,
        "labels": {"team": "a"}, "annotations": {"note": "b"}}
    api.kubectl.apply(function("echo", namespace, **spec))
    replicas("--allow-service-account=worker", f"--allow-priority-class={namespace}-low",
             f"--allow-runtime-class={namespace}-safe").await_leading()
    pod, = wait_for(lambda: api.kubectl.pods(namespace), "a pod")
    server, = pod["spec"]["initContainers"]
    for field in ("envFrom", "volumeMounts", "imagePullPolicy"):
        assert server[field] == spec[field], field
    for field in ("serviceAccountName", "priorityClassName", "runtimeClassName", "imagePullSecrets"):
        assert pod["spec"][field] == spec[field], field
    assert pod["spec"]["nodeSelector"] == spec["nodeSelector"] | {"kubernetes.io/os": "linux"}
    assert spec["tolerations"][0] in pod["spec"]["tolerations"]
    assert pod["spec"]["volumes"][0] == spec["volumes"][0]
    spread, = pod["spec"]["topologySpreadConstraints"]
    assert spread.items() > spec["topologySpreadConstraints"][0].items()
    assert server["securityContext"]["runAsUser"] == 7 and server["securityContext"]["runAsGroup"] == 8
    assert pod["spec"]["securityContext"]["fsGroup"] == 9
    assert pod["metadata"]["labels"]["team"] == "a" and pod["metadata"]["annotations"]["note"] == "b"


def test_K30_an_operator_of_some_namespaces_needs_no_right_in_others(api, replicas, namespace):
    served, system = namespace, f"{namespace}-system"
    api.install(system, [served])
    other = api.namespace(f"{namespace}-other")
    for each in (served, other):
        api.kubectl.apply(function("echo", each, image=IMAGE, warmInstances=1))
    replica = replicas(f"--namespaces={served}", of=system).await_leading()
    wait_for(lambda: len(api.kubectl.pods(served)) == 1, "a pod where it may")
    assert api.kubectl.pods(other) == []
    namespaces = {where for _, resource, where in api.calls_of(ACCOUNT.format(system))
                  if resource in ("pods", "websocketfunctions")}
    assert namespaces == {served}
    assert 'code="403"' not in replica.page("/metrics")


@pytest.mark.parametrize("flags, limits, annotation, url", [
    ((), {"memory": "32Mi"}, None, "ws://localhost:8080"),
    (("--public-url=wss://ws.example.com", "--relay-cpu-limit=100m", "--keep-from-eviction"),
     {"memory": "32Mi", "cpu": "100m"}, "false", "wss://ws.example.com"),
], ids=["nothing", "all"])
def test_K12_K23_K24_K25_what_the_administrator_sets_is_in_pod_and_address(
        api, replicas, namespace, flags, limits, annotation, url):
    api.kubectl.apply(function("echo", namespace, image=IMAGE, warmInstances=1, port=8000,
                               env=[{"name": "PORT", "value": "1"}, {"name": "MINE", "value": "2"}]))
    replicas(*flags).await_leading()
    pod, = wait_for(lambda: api.kubectl.pods(namespace), "a pod")
    relay, server = pod["spec"]["containers"][0], pod["spec"]["initContainers"][0]
    assert relay["resources"] == {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": limits}
    labels = pod["metadata"]["labels"]
    assert {each["name"]: each["value"] for each in server["env"]} == {
        "MINE": "2", "WSF_FUNCTION": "echo", "WSF_NAMESPACE": namespace,
        "WSF_INSTANCE": pod["metadata"]["name"], "WSF_REVISION": labels["wsf.dev/revision"],
        "PORT": "8000"}
    assert pod["metadata"]["annotations"].get(
        "cluster-autoscaler.kubernetes.io/safe-to-evict") == annotation
    wait_for(lambda: api.kubectl.get("wsf", "echo", "-n", namespace).get("status", {}).get(
        "url") == f"{url}/{namespace}/echo", "its address")
