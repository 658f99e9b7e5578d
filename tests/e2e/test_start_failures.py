# SPDX-License-Identifier: Apache-2.0
"""H07 to H15, H21, H32: an instance that does not start. What only a cluster knows is played here
through the status of its pod, as a kubelet writes it; the rest happens to real processes."""
import contextlib
import os
import pathlib
import signal
import time

import pytest

from dev_rig import Dev, wait_for
from kube_access import EVENTS, FUNCTIONS, KubeAccess, MERGE, PODS
from peers import TEXT, field, switching_protocols, upgrade_request
from puppets import COMMAND, PuppetMaster
from refusals import Refused, check_refusal

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test

PYTHON = "/usr/bin/python3"


def waiting(reason: str) -> dict:
    return {"phase": "Pending", "initContainerStatuses": [
        {"name": "function", "restartCount": 0,
         "state": {"waiting": {"reason": reason, "message": "as the kubelet says"}}}]}


def condition(kind: str, status: str, reason: str = "") -> dict:
    return {"conditions": [{"type": kind, "status": status, "reason": reason}]}


class Cluster:
    """`wsf dev` without a process runtime: the test is the kubelet."""

    def __init__(self, folder: pathlib.Path, programs: pathlib.Path, init_timeout: int):
        self.dev = Dev(folder, programs, ["true"],
                       ["--runtime", "none", "--set", f"initTimeoutSeconds={init_timeout}"])
        self.api = KubeAccess(pathlib.Path(self.dev.ready["kubeconfig"]), folder)

    def pod(self) -> str:
        pods = wait_for(lambda: [p for p in self.api.get(PODS)["items"]
                                 if "deletionTimestamp" not in p["metadata"]], "an instance is made")
        return PODS + "/" + pods[0]["metadata"]["name"]


@pytest.fixture
def cluster(request, tmp_path, programs):
    cluster = Cluster(tmp_path, programs, getattr(request, "param", 90))
    yield cluster
    cluster.dev.close()


MAY_PASS = (447, 449, 450)  # waiting may cure it (K04)


def check_told(cluster: Cluster, code: int, reason: str, detail: str = "") -> None:
    """A person sees why, without reading a log: Event, conditions, no record."""
    def status():
        return cluster.api.get(FUNCTIONS + "/dev").get("status", {})

    ready = wait_for(lambda: next((c for c in status().get("conditions", [])
                                   if c["type"] == "Ready" and c["status"] == "False"), None),
                     "the function is not Ready")
    assert ready["reason"] == reason
    assert detail in ready["message"]
    stalled = next(c for c in status()["conditions"] if c["type"] == "Stalled")
    assert stalled["status"] == str(code not in MAY_PASS)
    told = reason if reason == "PullImageFailed" else "InstanceFailed"  # K08
    event = wait_for(lambda: next((e for e in cluster.api.get(EVENTS)["items"]
                                   if e["reason"] == told), None), "an Event tells why")
    assert event["message"].startswith(f"{code} {reason}: ")
    assert detail in event["message"]
    assert event["involvedObject"]["name"] == "dev"
    assert cluster.dev.records() == []


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_H08_D37_the_image_cannot_be_pulled(cluster, reason):
    client = cluster.dev.request()
    with Refused(cluster.dev, "PullImageFailed"):
        cluster.api.patch_status(cluster.pod(), waiting(reason))
        head, message = check_refusal(client, 502, 444, "PullImageFailed")
    assert "as the kubelet says" not in message, "what a registry says is not for strangers"
    assert field(head, "Retry-After") == "1"
    check_told(cluster, 444, "PullImageFailed", "as the kubelet says")


def uids(cluster: Cluster) -> set[str]:
    return {pod["metadata"]["uid"] for pod in cluster.api.get(PODS)["items"]}


def test_a_failing_revision_backs_off_and_tells_the_next_at_once(cluster):
    for seconds in ("1", "2", "4"):
        client = cluster.dev.request()
        cluster.api.patch_status(cluster.pod(), waiting("ErrImagePull"))
        head, _ = check_refusal(client, 502, 444, "PullImageFailed")
        assert field(head, "Retry-After") == seconds
        made = uids(cluster)
        head, _ = check_refusal(cluster.dev.request(), 502, 444, "PullImageFailed")
        assert uids(cluster) <= made, "nothing is started meanwhile"
        assert 1 <= int(field(head, "Retry-After")) <= int(seconds)
        time.sleep(int(field(head, "Retry-After")))  # what a client does that obeys it


def test_a_new_revision_is_tried_at_once(cluster):
    client = cluster.dev.request()
    cluster.api.patch_status(cluster.pod(), waiting("ErrImagePull"))
    check_refusal(client, 502, 444, "PullImageFailed")
    status, _ = cluster.api.call("PATCH", FUNCTIONS + "/dev", {"spec": {"image": "other"}},
                                 "application/merge-patch+json")
    assert status == 200
    wait_for(lambda: cluster.api.get(FUNCTIONS + "/dev").get("status", {}).get(
        "observedGeneration") == 2,
             "the operator has seen the new revision")
    client = cluster.dev.request()
    pod = cluster.api.get(cluster.pod())
    assert pod["spec"]["initContainers"][0]["image"] == "other"
    client.end()


@pytest.mark.parametrize("cluster", [3], indirect=True)
@pytest.mark.parametrize("status, http_status, code, reason", [
    (condition("PodScheduled", "False", "Unschedulable"), 503, 449, "InsufficientResources"),
    (waiting("PodInitializing"), 504, 447, "PullImageTimeOut"),
    (condition("PodReadyToStartContainers", "True"), 504, 447, "PullImageTimeOut"),
    (waiting("ContainerCreating"), 504, 450, "InitContainerTimeout"),
], ids=["H07_unschedulable", "H09_still_pulling", "H09_sandboxed", "H13_anything_else"])
def test_at_the_init_timeout(cluster, status, http_status, code, reason):
    start = time.monotonic()
    client = cluster.dev.request()
    with Refused(cluster.dev, reason):
        cluster.api.patch_status(cluster.pod(), status)
        head, _ = check_refusal(client, http_status, code, reason)
    assert time.monotonic() - start >= 3
    assert field(head, "Retry-After") == "1"
    check_told(cluster, code, reason)


@pytest.mark.parametrize("waiting_reason", ["CreateContainerError", "CreateContainerConfigError"])
def test_H10_the_kubelet_cannot_start_the_container(cluster, waiting_reason):
    client = cluster.dev.request()
    with Refused(cluster.dev, "ContainerInitError"):
        cluster.api.patch_status(cluster.pod(), waiting(waiting_reason))
        check_refusal(client, 502, 445, "ContainerInitError")
    check_told(cluster, 445, "ContainerInitError")


def test_H11_a_server_that_the_kubelet_has_started_again(cluster):
    client = cluster.dev.request()
    with Refused(cluster.dev, "ContainerStateExited"):
        cluster.api.patch_status(cluster.pod(), {"phase": "Running", "initContainerStatuses": [
            {"name": "function", "restartCount": 1, "state": {"running": {}},
             "lastState": {"terminated": {"exitCode": 7, "reason": "Error"}}}]})
        _, message = check_refusal(client, 502, 405, "ContainerStateExited")
    assert "status 7" in message


def test_H11_fault_27_a_server_that_listens_for_a_moment_is_not_started_for_ever(tmp_path, programs):
    program = ("import socket, time\n"
               "s = socket.create_server(('0.0.0.0', 9000))\n"
               "time.sleep(0.3)\n")
    dev = Dev(tmp_path, programs, [PYTHON, "-c", program], ["--set", "warmInstances=1"])
    api = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), tmp_path)
    try:
        event = wait_for(lambda: next((e for e in api.get(EVENTS)["items"]
                                       if e["reason"] == "InstanceFailed" and e["count"] >= 3), None),
                         "it failed three times")
        assert event["message"].startswith("405 ContainerStateExited")
        # 1 + 2 s of back-off lie between the three: no storm of processes.
        ordinals = [int(pod["metadata"]["name"].rsplit("-", 1)[1])
                    for pod in api.get(PODS)["items"]]
        assert max(ordinals, default=3) <= 5
    finally:
        dev.close()


def test_H15_a_handshake_is_held_no_longer_than_said_and_its_instance_is_kept(tmp_path, programs):
    master = PuppetMaster(tmp_path / "puppet.sock")
    late = ["/bin/sh", "-c", "sleep 3; exec " + " ".join(COMMAND)]
    dev = Dev(tmp_path, programs, late, ["--gateway-flag", "--max-wait=1"],
              {"PUPPET": str(master.path)})
    try:
        client = dev.request()
        with Refused(dev, "RequestCanceled"):
            head, _ = check_refusal(client, 504, 499, "RequestCanceled")
        assert dev.records() == []
        # The instance goes on starting and serves the next one (A17).
        api = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), tmp_path)
        wait_for(lambda: api.get(FUNCTIONS + "/dev").get("status", {}).get("free") == 1,
                 "the instance is free")
        again = dev.request()
        server = master.receive()
        server.send_raw(switching_protocols(server.receive_head()))
        assert again.receive_head().startswith("HTTP/1.1 101 ")
        again.end()
    finally:
        dev.close()
        master.close()


EATER = ("import socket, sys\n"
         "if {early}: x = bytearray(400 << 20)\n"
         "s = socket.create_server(('0.0.0.0', 9000))\n"
         "c, _ = s.accept()\n"
         "c.recv(10)\n"
         "x = b'x' * (400 << 20)\n"
         "import time; time.sleep(60)\n")
LIMIT = ["--set", 'resources={"limits":{"memory":"64Mi"}}']


def test_H21_out_of_memory_before_it_listens(tmp_path, programs):
    dev = Dev(tmp_path, programs, [PYTHON, "-c", EATER.format(early=True)], LIMIT)
    try:
        client = dev.request()
        with Refused(dev, "MemoryLimitReached"):
            _, message = check_refusal(client, 502, 434, "MemoryLimitReached")
        assert "resources.limits.memory" in message
        assert dev.records() == []
    finally:
        dev.close()


def test_H21_fault_28_out_of_memory_during_the_handshake(tmp_path, programs):
    dev = Dev(tmp_path, programs, [PYTHON, "-c", EATER.format(early=False)], LIMIT)
    try:
        head = dev.request().receive_head()
        assert head.startswith("HTTP/1.1 502 ")
        record = dev.record(field(head, "X-Wsf-Request-Id"))
        assert (record["statusCode"], record["reason"]) == (434, "MemoryLimitReached")
        assert record["billedMs"] == 0
        assert record["exitCode"] == 137
    finally:
        dev.close()


@pytest.mark.long(20)
def test_H32_no_operator_and_no_free_instance(tmp_path, programs):
    dev = Dev(tmp_path, programs, ["true"], ["--runtime", "none"])
    try:
        os.kill(dev.ready["operatorPid"], signal.SIGSTOP)
        start = time.monotonic()
        client = dev.dial()
        client.sock.settimeout(60)
        client.send_raw(upgrade_request("/", "localhost", ""))
        with Refused(dev, "InternalError"):
            head, _ = check_refusal(client, 503, 500, "InternalError")
        assert int(field(head, "Retry-After")) >= 1
        assert time.monotonic() - start >= 10
        assert dev.records() == []
    finally:
        os.kill(dev.ready["operatorPid"], signal.SIGCONT)
        dev.close()


@pytest.fixture
def scripted(tmp_path, programs):
    dev = Dev(tmp_path, programs, [str(programs / "wsf-test-server")], [])
    yield dev
    dev.close()


def live_session(dev: Dev):
    api = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), dev.folder)
    client = dev.request("/echo")
    head = client.receive_head()
    assert head.startswith("HTTP/1.1 101 ")
    client.send(TEXT, b"x")
    client.expect(TEXT, b"x")
    pod = api.get(PODS)["items"][0]["metadata"]["name"]
    return api, client, field(head, "X-Wsf-Request-Id"), PODS + "/" + pod


def test_P17_an_evicted_instance(scripted):
    api, client, request_id, pod = live_session(scripted)
    api.patch_status(pod, condition("DisruptionTarget", "True", "EvictionByEvictionAPI"))
    assert api.call("DELETE", pod)[0] == 200
    client.expect_close(1001, "499 function stopped")
    client.end()
    record = scripted.record(request_id)
    assert (record["statusCode"], record["reason"]) == (500, "InternalError")


def test_P19_fault_25_a_lost_node_leaves_the_gateways_view(scripted):
    api, client, request_id, pod = live_session(scripted)
    sidecar = next(pid for pid in scripted.processes()
                   if b"wsf-sidecar" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
    try:
        os.kill(sidecar, signal.SIGSTOP)  # the node says nothing any more
        client.end()
        wait_for(lambda: api.get(FUNCTIONS + "/dev").get("status", {}).get("liveSessions") == 0,
                 "the gateway has told of the end")
        # What the node controller writes when it gives a node up.
        api.patch_status(pod, condition("DisruptionTarget", "True", "DeletionByTaintManager") | {
            "containerStatuses": [{"name": "relay", "restartCount": 0, "state": {
                "terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown",
                               "startedAt": None, "finishedAt": None}}}]})
        record = scripted.record(request_id)
        assert (record["statusCode"], record["reason"]) == (500, "InternalError")
        assert record["billedMs"] > 0
    finally:
        with contextlib.suppress(ProcessLookupError):  # its pod has ended it meanwhile
            os.kill(sidecar, signal.SIGKILL)


def test_H03_D37_what_is_wrong_with_a_spec_is_its_owners_to_know(scripted):
    api = KubeAccess(pathlib.Path(scripted.ready["kubeconfig"]), scripted.folder)
    status, body = api.call("PATCH", FUNCTIONS + "/dev",
                            {"spec": {"serviceAccountName": "secret-account"}}, MERGE)
    assert status == 200, body
    stalled = wait_for(lambda: next((c for c in api.get(FUNCTIONS + "/dev").get("status", {}).get(
        "conditions", []) if c["type"] == "Stalled" and c["status"] == "True"), None), "it is Stalled")
    assert "serviceAccountName" in stalled["message"]
    _, message = check_refusal(scripted.request("/"), 503, 438, "FunctionStatusError")
    assert "ccount" not in message and "status" in message
