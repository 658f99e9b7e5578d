# SPDX-License-Identifier: Apache-2.0
"""Reports that are lost, doubled and late; parts that die between two steps (faults.md 12, 16, 20 to
24, 45)."""
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from rig import CLOSE, FUNCTIONS, TEXT, FaultRig, close_body, field, name_of, wait_for
from stream_proxy import StreamProxy

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test


def operator_port(folder: pathlib.Path):
    """Where sidecars would find the operator without the proxy."""
    return lambda: (folder_platform(folder), 9443)


def folder_platform(folder: pathlib.Path) -> str:
    text = (folder / "dev" / "data" / "kubeconfig").read_text()
    return text.split("https://")[1].split(":")[0]


def session(rig: FaultRig, path: str = "/echo") -> str:
    client, request_id = rig.open(path)
    client.send(TEXT, b"x")
    client.expect(TEXT, b"x")
    client.send(CLOSE, close_body(1000))
    client.expect_close(1000)
    client.end()
    return request_id


def is_free(rig: FaultRig, free: int, live: int) -> bool:
    status = rig.function()["status"]
    return (status["free"], status["live"]) == (free, live)


def test_fault_16_lost_and_doubled_reports(tmp_path, programs):
    """30 % of the reports end before they arrive, 30 % after they did and before their answer."""
    proxy = StreamProxy(operator_port(tmp_path))
    rig = FaultRig(tmp_path, programs, ["--operator-flag", f"--advertise={proxy.endpoint}",
                                        "--set", "warmInstances=2"], through_proxy=False)
    number = [0]
    original = proxy._serve

    def serve(client) -> None:
        number[0] += 1
        if number[0] % 10 in (1, 4, 7):
            client.close()  # lost on its way
        elif number[0] % 10 in (2, 5, 8):
            lose_answer(proxy, client)
        else:
            original(client)

    proxy._serve = serve
    try:
        ids = [session(rig) for _ in range(12)]
        counters = rig.rest(12)
        assert counters["total"] == 12
        assert counters["byCode"] == {"200": 12}
        assert {r["requestId"] for r in rig.dev.records()} == set(ids)
        assert all(r["toServer"]["messages"] == 1 for r in rig.dev.records()), "with their details"
    finally:
        rig.close()
        proxy.close()


def lose_answer(proxy: StreamProxy, client) -> None:
    """Everything goes to the operator; the last of what comes back does not arrive."""
    import socket
    server = socket.create_connection(proxy.target())
    passed = [0]

    def back() -> None:
        try:
            while data := server.recv(65536):
                passed[0] += len(data)
                if passed[0] > 2500:  # past the TLS handshake: the answer itself
                    break
                client.sendall(data)
        except OSError:
            pass
        time.sleep(0.05)
        client.close()

    thread = threading.Thread(target=back)
    thread.start()
    try:
        while data := client.recv(65536):
            server.sendall(data)
    except OSError:
        pass
    thread.join()
    server.close()


def test_fault_16_P22_no_report_ever_arrives(tmp_path, programs):
    """The operator cannot be reached for the ends: the termination message is the record."""
    proxy = StreamProxy(operator_port(tmp_path))
    rig = FaultRig(tmp_path, programs, ["--operator-flag", f"--advertise={proxy.endpoint}",
                                        "--set", "warmInstances=1"], through_proxy=False)
    try:
        client, request_id = rig.open("/echo")
        wait_for(lambda: is_free(rig, 1, 1), "the next one is free")
        proxy.target = lambda: ("127.0.0.1", 1)
        client.send(CLOSE, close_body(4001))
        client.expect_close(4001)
        client.end()
        # The gateway's word lets the operator look; the sidecar gives up after 20 s.
        record = wait_for(lambda: next((r for r in rig.dev.records()
                                        if r["requestId"] == request_id), None), "the record", 60)
        assert (record["statusCode"], record["closeCode"]) == (456, 4001)
        proxy.target = operator_port(tmp_path)
        assert rig.rest(1)["total"] == 1
    finally:
        rig.close()
        proxy.close()


@pytest.fixture(scope="module")
def rig(tmp_path_factory, programs):
    rig = FaultRig(tmp_path_factory.mktemp("parts"), programs, ["--set", "warmInstances=2"],
                   through_proxy=False)
    yield rig
    rig.close()


def test_I5_P22_the_operator_is_killed_during_sessions(rig):
    total = rig.rest()["total"]
    wait_for(lambda: rig.function()["status"]["free"] == 2, "two are free")
    live, live_id = rig.open("/echo")
    wait_for(lambda: is_free(rig, 2, 1), "two are free again")
    operator = rig.kill("wsf-operator", signal.SIGSTOP)  # dead, and not started again yet
    served = [rig.open("/echo") for _ in range(2)]  # while free instances last
    for client, _ in [(live, live_id), *served]:
        client.send(TEXT, b"goes on")
        client.expect(TEXT, b"goes on")
    served[0][0].reset()  # ends without an operator
    os.kill(operator, signal.SIGKILL)
    for client in (live, served[1][0]):
        client.send(CLOSE, close_body(1000))
        client.expect_close(1000)
        client.end()
    assert rig.rest(total + 3)["total"] == total + 3
    codes = {r["requestId"]: r["statusCode"] for r in rig.dev.records()}
    assert (codes[live_id], codes[served[0][1]], codes[served[1][1]]) == (200, 456, 200)


def test_fault_20_P21_the_gateway_is_killed_with_live_sessions(rig):
    total = rig.rest()["total"]
    clients = [rig.open("/echo") for _ in range(5)]
    rig.kill("wsf-gateway")
    for client, _ in clients:
        client.expect_end()
    assert rig.rest(total + 5)["total"] == total + 5
    codes = {r["requestId"]: r["statusCode"] for r in rig.dev.records()}
    assert [codes[request_id] for _, request_id in clients] == [456] * 5
    wait_for(lambda: len(rig.pods()) == 2, "no instance stays behind", 60)
    session(rig)
    rig.rest()


def test_fault_22_the_gateway_stops_for_ten_seconds_and_goes_on(rig):
    total = rig.rest()["total"]
    client, _ = rig.open("/echo")
    gateway = rig.kill("wsf-gateway", signal.SIGSTOP)
    client.send(TEXT, b"held")
    time.sleep(10)  # the fault itself
    os.kill(gateway, signal.SIGCONT)
    client.expect(TEXT, b"held")
    client.reset()
    assert rig.rest(total + 1)["total"] == total + 1


def sidecar_of(rig: FaultRig, request_id: str) -> int:
    """The relay of a live session: the one whose termination message names it."""
    def find():
        for pid in rig.pids("wsf-sidecar"):
            arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            path = next(a.split("=", 1)[1] for a in arguments if a.startswith("--termination-log="))
            if pathlib.Path(path).exists() and request_id in pathlib.Path(path).read_text():
                return pid
        return None
    return wait_for(find, "its sidecar")


def test_fault_23_P18_a_sidecar_is_killed(rig):
    total = rig.rest()["total"]
    client, request_id = rig.open("/echo")
    os.kill(sidecar_of(rig, request_id), signal.SIGKILL)
    client.expect_end()
    record = rig.dev.record(request_id)
    assert (record["statusCode"], record["closedBy"]) == (500, "platform")
    assert rig.rest(total + 1)["total"] == total + 1


def test_fault_24_P16_a_sidecar_is_terminated(rig):
    total = rig.rest()["total"]
    client, request_id = rig.open("/echo")
    os.kill(sidecar_of(rig, request_id), signal.SIGTERM)
    client.expect_close(1001, "499 function stopped")
    client.end()
    assert rig.dev.record(request_id)["statusCode"] == 499
    assert rig.rest(total + 1)["total"] == total + 1


def free_sidecar(rig: FaultRig) -> int:
    rig.rest()
    wait_for(lambda: rig.function()["status"]["free"] == 1, "one is free")
    return wait_for(lambda: next(iter(rig.pids("wsf-sidecar")), None), "its sidecar")


class Strace:
    """Injects faults into a running process's system calls until it is closed."""

    def __init__(self, pid: int, injection: str):
        self.process = subprocess.Popen(["strace", "-qq", "-f", "-p", str(pid), "-o", "/dev/null",
                                         "-e", f"trace={injection.split(':')[0]}",
                                         "-e", f"inject={injection}"], stderr=subprocess.PIPE)
        def attached() -> bool:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
            return "TracerPid:\t0\n" not in text
        wait_for(attached, "strace is attached")

    def close(self) -> None:
        self.process.kill()  # the kernel lets go of what it traced; its own detaching may hang
        self.process.wait(20)
        self.process.stderr.close()


@pytest.fixture
def one(tmp_path, programs):
    rig = FaultRig(tmp_path, programs, ["--set", "warmInstances=1"], through_proxy=False)
    yield rig
    rig.close()


# The relay writes its termination message when it takes the slot, at the 101 and at the end.
@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_fault_23_a_sidecar_dies_at_every_write_of_its_termination_message(one, step, how):
    sidecar = free_sidecar(one)
    # Either the call is not carried out, or it is and the process dies before it goes on.
    fault = "error=EIO:signal=KILL" if how == "before" else "delay_exit=2000000"
    strace = Strace(sidecar, f"pwrite64:{fault}:when={step}")
    try:
        client = one.dev.request("/echo")
        if how == "after" and step < 3:
            strike_after(sidecar, {1: "claimed", 2: "live"}[step])
        head = client.receive_head()
        # Before the 101 another instance takes over, after it the loss is the client's to see.
        assert head.startswith("HTTP/1.1 101 "), head
        request_id = field(head, "X-Wsf-Request-Id")
        if step == 1:
            client.send(TEXT, b"x")
            client.expect(TEXT, b"x")
        client.send(CLOSE, close_body(1000))
        if how == "after" and step == 3:
            strike_after(sidecar, "statusCode")
        client.receive_all()
        client.end()
    finally:
        strace.close()
    expected = {(1, "before"): [200], (1, "after"): [200, 500], (2, "before"): [500],
                (2, "after"): [500], (3, "before"): [500], (3, "after"): [200]}[step, how]
    counters = one.rest(len(expected))
    codes = sorted(r["statusCode"] for r in one.dev.records() if r["requestId"] == request_id)
    assert codes == expected
    assert counters["total"] == len(codes)


def strike_after(sidecar: int, word: str) -> None:
    """Kills the sidecar when its termination message says that the write was carried out."""
    arguments = pathlib.Path(f"/proc/{sidecar}/cmdline").read_text().split("\0")
    path = next(a.split("=", 1)[1] for a in arguments if a.startswith("--termination-log="))
    wait_for(lambda: word in pathlib.Path(path).read_text(), f"{word} is written")
    os.kill(sidecar, signal.SIGKILL)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_fault_45_no_space_for_the_termination_message(one, error):
    strace = Strace(free_sidecar(one), f"pwrite64:error={error}")
    try:
        request_id = session(one)
        assert one.dev.record(request_id)["statusCode"] == 200
    finally:
        strace.close()
    assert one.rest()["total"] == 1


def test_fault_45_no_space_for_the_records_file(tmp_path, programs):
    rig = FaultRig(tmp_path, programs, through_proxy=False, records="/dev/full")
    try:
        session(rig)
        wait_for(lambda: rig.function()["status"]["sessions"]["total"] == 1, "it is counted")
        session(rig)
    finally:
        rig.close()


@pytest.mark.parametrize("step", ["held", "taken"])
def test_fault_12_54_the_gateway_is_killed_before_the_101(tmp_path, programs, step):
    env = {"WSF_TEST_START_MS": "1500"} if step == "held" else {}
    rig = FaultRig(tmp_path, programs, [], env, through_proxy=False)
    try:
        client = rig.dev.request("/wait" if step == "taken" else "/echo")
        if step == "taken":
            wait_for(lambda: b"claimed" in b"".join(
                path.read_bytes() for path in
                (tmp_path / "dev" / "data" / "pods").glob("*/termination")), "the slot is taken")
        else:
            wait_for(lambda: rig.pods(), "an instance is being started")
        rig.kill("wsf-gateway")
        client.expect_end()
        # Held: no sidecar heard of it. Taken: the slot was used up, before any 101.
        expected = 1 if step == "taken" else 0
        counters = rig.rest(expected)
        assert counters.get("total", 0) == expected
        assert counters.get("established", 0) == 0
        wait_for(lambda: all(name_of(pid) for pid in rig.dev.processes()), "no zombie is left")
        session(rig)
        rig.rest()
    finally:
        rig.close()


def test_H32_H02_K12_a_function_that_is_new_while_the_operator_is_away(tmp_path, programs):
    """The gateway has not heard of it, and cannot know that there is none: the client is held."""
    nothing_else = ["--gateway-flag", "--default-function=default/none"]
    rig = FaultRig(tmp_path, programs, nothing_else, through_proxy=False)
    try:
        operator = rig.kill("wsf-operator", signal.SIGSTOP)
        spec = rig.function()["spec"]
        made, _ = rig.access().call("POST", FUNCTIONS, {
            "apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
            "metadata": {"name": "young"}, "spec": spec})
        assert made == 201
        os.kill(operator, signal.SIGKILL)
        wait_for(lambda: rig.pids("wsf-operator") not in ([], [operator]), "another one begins")
        client = rig.dev.request("/default/young")
        head = client.receive_head()
        assert head.startswith("HTTP/1.1 101 "), head
        client.reset()
    finally:
        rig.close()
