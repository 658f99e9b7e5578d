# SPDX-License-Identifier: Apache-2.0
"""Sessions on real pods: a kubelet, containerd, kube-proxy, and wsf as dist/install.yaml has it."""
import json
import os
import pathlib
import signal
import subprocess

import pytest

from cluster import SYSTEM, TEXT
from kubectl import ROOT, wait_for

pytestmark = pytest.mark.usefixtures("installed")


@pytest.mark.parametrize("example", ["python", "node"])
def test_S0_01_K54_the_examples_as_pods(cluster, space, example):
    cluster.make(space, image=f"localhost/wsf/wsf-echo-{example}:0.1.0")
    peer, greeting = cluster.open(space)
    assert greeting.startswith("hello from")
    cluster.talk(peer, "a")
    peer.send_close(1000)
    peer.expect_close(1000)
    cluster.await_codes(space, {"200": 1})
    cluster.await_gone(space)


def test_I1_twenty_clients_at_once_have_twenty_pods(cluster, space):
    cluster.make(space, warmInstances=20, resources={"limits": {"memory": "64Mi"}})
    cluster.await_free(space, 20)
    opened = [cluster.open(space) for _ in range(20)]
    assert len({instance for _, instance in opened}) == 20
    for number, (peer, _) in enumerate(opened):
        cluster.talk(peer, f"number {number}")
    cluster.kubectl("patch", "wsf", "f", "-n", space, "--type=merge", "-p",
                    '{"spec": {"warmInstances": 0, "maxInstances": 20}}')
    for peer, _ in opened:
        peer.send_close(1000)
        peer.expect_close(1000)
    cluster.await_codes(space, {"200": 20})


def test_E01_E12_a_close_of_either_side(cluster, space):
    cluster.make(space)
    peer, _ = cluster.open(space)
    peer.send_close(1000, "done")
    peer.expect_close(1000, "done")
    peer, _ = cluster.open(space)
    peer.send(TEXT, b"close 1000")
    peer.expect_close(1000)
    peer.send_close(1000)
    peer.expect_end()
    cluster.await_codes(space, {"200": 2})
    cluster.await_gone(space)


def test_U14_K30_wsf_sessions_and_wsf_end_by_the_api_server(cluster, space, tmp_path):
    """As a person who has no more rights than the Role wsf-people."""
    kubectl = cluster.kubectl
    wsf = [*kubectl.prefix, str(pathlib.Path(os.environ["WSF_BIN"]) / "wsf")]

    def say(*words: str) -> str:
        return subprocess.run([*wsf, *words, f"--kubeconfig={tmp_path / 'config'}"], check=True, text=True,
                              capture_output=True, timeout=60).stdout
    cluster.make(space)
    kubectl("create", "serviceaccount", "on-call", "-n", space)
    kubectl("create", "rolebinding", f"on-call-{space}", "--role=wsf-people", f"--serviceaccount={space}:on-call",
            "-n", SYSTEM)
    config = json.loads(kubectl.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": kubectl("create", "token", "on-call", "-n", space).strip()}
    (tmp_path / "config").write_text(json.dumps(config))
    peer, _ = cluster.open(space)
    live = json.loads(say("sessions", "-n", space, "-o", "json"))
    assert live["statusCode"] == 202 and live["namespace"] == space
    assert "499" in say("end", live["requestId"])
    peer.expect_close(1001, "499 function stopped")
    cluster.await_codes(space, {"499": 1})
    kubectl("delete", "rolebinding", f"on-call-{space}", "-n", SYSTEM)


def test_E21_the_servers_process_exits(cluster, space):
    cluster.make(space)
    peer, _ = cluster.open(space)
    peer.send(TEXT, b"exit 3")
    peer.expect_end()
    cluster.await_codes(space, {"439": 1})


def test_E22_the_servers_memory_is_used_up(cluster, space):
    cluster.make(space, resources={"limits": {"memory": "64Mi"}})
    peer, _ = cluster.open(space)
    peer.send(TEXT, b"fill")
    peer.expect_end()
    cluster.await_codes(space, {"434": 1})


def test_P01_P05_idle_and_execution_time(cluster, space):
    cluster.make(space, idleTimeoutSeconds=1)
    peer, _ = cluster.open(space)
    peer.expect_close(1001, "455 idle timeout")
    cluster.kubectl("patch", "wsf", "f", "-n", space, "--type=merge", "-p",
                    '{"spec": {"executionTimeoutSeconds": 1, "idleTimeoutSeconds": 0}}')
    cluster.await_codes(space, {"455": 1})
    wait_for(lambda: cluster.status(space)["observedGeneration"] == 2, "the change is seen")
    peer, _ = cluster.open(space)
    peer.expect_end()
    cluster.await_codes(space, {"455": 1, "433": 1})


# What user code finds of its relay, and what the operator's port answers to it.
INSIDE = """
import json, os, pathlib, socket, ssl, sys
def relays():
    for each in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        if each.read_bytes().split(bytes(1))[0].endswith(b'wsf-sidecar'):
            yield str(each)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
try:
    port = context.wrap_socket(socket.create_connection((sys.argv[1], 9443), 20))
    port.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' + bytes(3) + bytes([4]) + bytes(5))
    answer = port.recv(100).hex() or 'cut'
except OSError:
    answer = 'cut'
print(json.dumps({
    'secrets': [str(each) for each in pathlib.Path('/var/run/secrets').glob('**/*')],
    'keys': [name for name in os.environ if name.startswith(('WSF_RELAY', 'WSF_OPERATOR'))],
    'relays': list(relays()), 'answer': answer}))
"""


def test_S8_K34_fault_19_user_code_finds_no_identity_and_reaches_no_report(cluster, space):
    cluster.make(space)
    peer, _ = cluster.open(space)
    pod, = cluster.pods(space)
    operator = cluster.kubectl.get("service", "wsf-operator", "-n", SYSTEM)["spec"]["clusterIP"]
    said = cluster.kubectl("exec", pod["metadata"]["name"], "-n", space, "-c", "function", "--",
                           "python3", "-c", INSIDE, operator)
    assert json.loads(said) == {"secrets": [], "keys": [], "relays": [], "answer": "cut"}
    cluster.talk(peer, "undisturbed")
    peer.send_close(1000)
    peer.expect_close(1000)
    cluster.await_codes(space, {"200": 1})


def test_P15_K10_a_deleted_function_ends_its_sessions(cluster, space):
    cluster.make(space)
    peer, _ = cluster.open(space)
    cluster.kubectl("delete", "wsf", "f", "-n", space, "--wait=true")
    peer.expect_close(1001, "499 function stopped")
    cluster.await_gone(space)
    assert cluster.refused(space)[0] == "404"


def test_P16_a_deleted_pod_ends_its_session(cluster, space):
    cluster.make(space)
    peer, instance = cluster.open(space)
    cluster.kubectl("delete", "pod", instance, "-n", space, "--wait=false")
    assert peer.receive().code == 1001
    cluster.await_codes(space, {"499": 1})
    cluster.await_gone(space)


@pytest.mark.parametrize("row, spec, http, code", [
    ("H08", {"image": "localhost/none:1", "imagePullPolicy": "Never"}, "502", "444"),
    ("H10", {"command": ["/no-such-program"]}, "502", "445"),
    ("H11", {"command": ["python3", "-c", "raise SystemExit(7)"]}, "502", "405"),
    ("H12", {"command": ["sleep", "1000"], "initTimeoutSeconds": 3}, "504", "446"),
], ids=lambda value: value if isinstance(value, str) and value[0] == "H" else "")
def test_H08_H10_H11_H12_a_start_that_fails(cluster, space, row, spec, http, code):
    cluster.make(space, **spec)
    assert cluster.refused(space) == (http, code)
    assert cluster.status(space).get("sessions", {}).get("total", 0) == 0


def test_K21_H10_an_image_that_insists_on_root_runs_as_another(cluster, space):
    cluster.make(space, image="localhost/wsf/wsf-root:0.1.0", warmInstances=1)
    cluster.await_free(space, 1)
    pod, = cluster.pods(space)
    assert pod["spec"]["initContainers"][0]["securityContext"]["runAsUser"] == 10001


def test_P22_the_leading_operator_is_killed_in_a_session(cluster, space):
    cluster.make(space)
    peer, _ = cluster.open(space)
    other, _ = cluster.open(space)
    leader = cluster.leader()
    for pid in cluster.machine.processes("wsf-operator"):
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        if f"POD_NAME={leader}".encode() in environment:
            os.kill(pid, signal.SIGKILL)
    cluster.talk(peer, "still there")
    other.send_close(1000)
    other.expect_close(1000)
    cluster.await_codes(space, {"200": 1})
    peer.send_close(1000)
    peer.expect_close(1000)
    cluster.await_codes(space, {"200": 2})
    cluster.await_rolled_out()


def test_P21_a_gateway_is_killed_in_a_session(cluster, space):
    cluster.make(space)
    peer, _ = cluster.open(space)
    for pid in cluster.machine.processes("wsf-gateway"):
        os.kill(pid, signal.SIGKILL)
    peer.expect_end()
    cluster.await_codes(space, {"456": 1})
    cluster.await_rolled_out()


def test_P18_a_relay_is_killed_in_a_session(cluster, space):
    cluster.make(space)
    peer, _ = cluster.open(space)
    for pid in cluster.machine.processes("wsf-sidecar"):
        os.kill(pid, signal.SIGKILL)
    peer.expect_end()
    cluster.await_codes(space, {"500": 1})


def test_K53_nothing_differs_after_install_and_sessions(cluster, space):
    cluster.make(space)
    for _ in range(3):
        peer, _ = cluster.open(space)
        peer.send_close(1000)
        peer.expect_close(1000)
    cluster.await_codes(space, {"200": 3})
    install = str(ROOT / "dist" / "install.yaml")
    assert cluster.kubectl("diff", "--server-side", "-f", install) == ""
    before = {name: cluster.kubectl.get("secret", name, "-n", SYSTEM)
              for name in ("wsf-operator-keys", "wsf-gateway-tls")}
    cluster.kubectl("apply", "--server-side", "-f", install)
    for name, secret in before.items():
        assert cluster.kubectl.get("secret", name, "-n", SYSTEM) == secret


def test_K51_K10_drain_all_ends_live_sessions_and_leaves_nothing(cluster, space):
    """As docs/operations.md says. Last: nothing is served after it for a minute."""
    cluster.make(space, warmInstances=1)
    peer, _ = cluster.open(space)
    cluster.drain()
    peer.expect_close(1001, "499 function stopped")
    assert cluster.pods(space) == []
    assert cluster.status(space)["sessions"]["byCode"] == {"499": 1}
