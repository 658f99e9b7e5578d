# SPDX-License-Identifier: Apache-2.0
"""The sidecar's relay port: claims, control requests, what the platform ends (contracts.md)."""
import json
import os
import pathlib
import signal
import socket
import subprocess

import pytest

from dev_rig import Dev, DevRig, wait_for
from peers import (BINARY, TEXT, Peer, field, switching_protocols,
                   upgrade_request)
from ports import free_port
from puppets import COMMAND, PuppetMaster
from sidecar_rig import SidecarRig


@pytest.fixture
def puppets(tmp_path, programs):
    """`wsf dev` of its own, for tests that kill its parts."""
    rig = DevRig(tmp_path, programs)
    yield rig
    rig.close()


def sidecar_says(client: Peer) -> tuple[str, str]:
    head = client.receive_head()
    return head.split()[1], field(head, "X-Wsf-Sidecar")


def test_H25_S0_11_I1_a_second_claim_is_answered_busy(rig):
    session = rig.connect()
    assert sidecar_says(rig.claim(request_id="id-2")) == ("503", "busy")
    session.client.send(TEXT, b"undisturbed")
    session.server.expect(TEXT, b"undisturbed")
    assert rig.control("state") == "live 1"


def test_I2_a_claim_after_the_end_is_answered_closed(rig):
    session = rig.connect()
    session.client.send_close(1000)
    session.server.expect_close(1000)
    session.server.send_close(1000)
    session.record()
    assert sidecar_says(rig.claim(request_id="id-2")) == ("503", "closed")
    assert rig.control("state") == "ending"


@pytest.mark.parametrize("token", ["", "wrong", "c0ffee" * 9 + "c0ffef"])
def test_S9_S16_a_claim_without_the_token_is_denied(rig, token):
    assert sidecar_says(rig.claim(token=token)) == ("403", "denied")
    assert rig.control("state") == "free"


def test_a_claim_before_the_server_listens_is_answered_starting(tmp_path, programs):
    rig = SidecarRig(tmp_path, programs)
    try:
        assert sidecar_says(rig.claim()) == ("503", "starting")
        rig.start_server()
        rig.connect()
    finally:
        rig.close()


@pytest.mark.parametrize("extra", [
    "X-Wsf-Claim: again\r\n", "X-Wsf-Request-Id: again\r\n", "X-Wsf-Control: state\r\n",
    "X-Wsf-Settings: !\r\n"], ids=["two-claims", "two-ids", "control-and-upgrade", "bad-settings"])
def test_an_ambiguous_claim_is_refused(rig, extra):
    assert sidecar_says(rig.claim(extra))[0] == "400"
    assert rig.control("state") == "free"


def test_close_shuts_a_free_slot_and_the_sidecar_exits(rig):
    assert rig.control("close", token="wrong").split()[1] == "403"
    assert rig.control("close").split()[1] == "204"
    assert rig.sidecar.wait(timeout=20) == 0


def test_close_is_refused_while_a_session_is_live(rig):
    session = rig.connect()
    assert rig.control("close") == "live 1"
    session.client.send(TEXT, b"undisturbed")
    session.server.expect(TEXT, b"undisturbed")


@pytest.mark.parametrize("reason,client_code,code,name", [
    pytest.param("GatewayShutdown", 1012, 500, "GatewayShutdown", id="P20"),
    pytest.param("FunctionStopped", 1001, 499, "RequestCanceled", id="P15"),
    pytest.param("RevisionRetired", 1001, 499, "RevisionRetired", id="P23")])
def test_the_platform_ends_a_session(rig, reason, client_code, code, name):
    session = rig.connect()
    assert rig.control("end", extra=f"X-Wsf-Reason: {reason}\r\n").split()[1] == "204"
    assert session.client.receive().code == client_code
    frame = session.server.receive()
    assert (frame.code, frame.masked) == (1001, True)
    record = session.record()
    assert (record["statusCode"], record["reason"], record["closedBy"]) == (code, name, "platform")


def test_P16_SIGTERM_ends_a_live_session_and_then_the_sidecar(rig):
    session = rig.connect()
    rig.sidecar.send_signal(signal.SIGTERM)
    assert session.client.receive().code == 1001
    assert session.server.receive().code == 1001
    assert session.record()["statusCode"] == 499
    session.client.end()
    session.server.end()
    assert rig.sidecar.wait(timeout=20) == 0


def test_H22_the_server_never_answers(rig):
    client = rig.claim("X-Wsf-Settings: GAE=\r\n")  # handshakeTimeoutSeconds 1
    assert sidecar_says(client) == ("102", "taken")
    server = rig.master.receive()
    server.receive_head()
    assert client.receive_head().startswith("HTTP/1.1 504 ")
    server.expect_end()
    record = rig.record()
    assert (record["statusCode"], record["reason"]) == (433, "HandshakeTimeout")


def resident_kib(pid: int) -> int:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if "VmRSS" in line)


def test_I8_a_client_that_does_not_read_stops_the_server(rig):
    """What the server can send is bounded by the buffers on the way, then its socket blocks."""
    session = rig.connect(settings={"maxMessageBytes": 0})
    before = resident_kib(rig.sidecar.pid)
    session.server.sock.settimeout(1)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 1 << 30:
            session.server.send(BINARY, b"x" * 65536)
            sent += 65536
    grown = resident_kib(rig.sidecar.pid) - before
    assert grown < 1024, f"{grown} KiB"


def test_the_termination_message_is_kept_at_every_step(rig):
    client = rig.claim()
    assert sidecar_says(client) == ("102", "taken")
    server = rig.master.receive()
    head = server.receive_head()
    assert json.loads(rig.message.read_text())["state"] == "claimed"
    server.send_raw(switching_protocols(head))
    client.receive_head()
    rig.wait_for(lambda: json.loads(rig.message.read_text())["state"] == "live")
    assert "established" in json.loads(rig.message.read_text())
    client.send_close(1000)
    server.expect_close(1000)
    server.send_close(1000)
    assert rig.record()["requestId"] == "id-1"
    rig.wait_for(lambda: rig.reports.read_text() == "listening\nended\n")


def only_sidecar(dev: Dev) -> int:
    found = [pid for pid in dev.processes()
             if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "wsf-sidecar"]
    assert len(found) == 1
    return found[0]


def test_H26_P18_a_sidecar_lost_before_the_101_is_tried_once_more(puppets):
    client = puppets.dev.request()
    first = puppets.master.receive()
    head = first.receive_head()
    os.kill(only_sidecar(puppets.dev), signal.SIGKILL)
    server = puppets.master.receive()
    again = server.receive_head()
    assert field(again, "X-Wsf-Request-Id") == field(head, "X-Wsf-Request-Id")
    server.send_raw(switching_protocols(again))
    assert client.receive_head().startswith("HTTP/1.1 101 ")
    lost = wait_for(puppets.dev.records, "the record of the lost one")[0]
    assert (lost["statusCode"], lost["reason"]) == (500, "InternalError")


def test_H26_a_second_loss_is_told(puppets):
    client = puppets.dev.request()
    servers = []  # held, so that none hangs up
    for _ in range(2):
        servers.append(puppets.master.receive())
        servers[-1].receive_head()
        os.kill(only_sidecar(puppets.dev), signal.SIGKILL)
        wait_for(lambda n=len(servers): len(puppets.dev.records()) == n, "the record of the lost one")
    text = client.receive_all().decode()
    assert text.startswith("HTTP/1.1 502 ")
    assert json.loads(text.split("\r\n\r\n")[1])["statusCode"] == 500


def test_P18_a_sidecar_killed_in_a_session(puppets):
    client = puppets.dev.request()
    server = puppets.master.receive()
    server.send_raw(switching_protocols(server.receive_head()))
    client.receive_head()
    client.send(TEXT, b"x")
    server.expect(TEXT, b"x")
    os.kill(only_sidecar(puppets.dev), signal.SIGKILL)
    client.expect_end()
    server.expect_end()
    record = wait_for(puppets.dev.records, "the record")[0]
    assert (record["statusCode"], record["closeCode"]) == (500, 1006)
    assert len(puppets.dev.records()) == 1


def test_P21_a_killed_gateway(puppets):
    client = puppets.dev.request()
    server = puppets.master.receive()
    server.send_raw(switching_protocols(server.receive_head()))
    client.receive_head()
    os.kill(puppets.dev.ready["gatewayPid"], signal.SIGKILL)
    client.expect_end()
    server.expect_end()
    record = wait_for(puppets.dev.records, "the record")[0]
    assert (record["statusCode"], record["reason"]) == (456, "ClientConnectionLost")


def test_H25_a_race_between_two_gateways_is_invisible(tmp_path, programs):
    """Both know the same two free instances; the operator, stopped, withdraws none. The second
    gateway finds the older one busy and takes the other."""
    master = PuppetMaster(tmp_path / "puppet.sock")
    dev = Dev(tmp_path / "dev", programs, COMMAND, ["--set", "warmInstances=2"],
              {"PUPPET": str(master.path)})
    port = free_port()
    command = pathlib.Path(f"/proc/{dev.ready['gatewayPid']}/cmdline").read_text().split("\0")[:-1]
    flags = [f for f in command[1:] if not f.startswith(("--listen", "--admin-listen", "--probe-listen"))]
    log = tmp_path / "second"
    second = subprocess.Popen(
        [command[0], *flags, f"--listen=127.0.0.1:{port}", "--admin-listen=127.0.0.1:0",
         "--probe-listen=127.0.0.1:0"],
        stdout=open(log, "wb"))
    operator = dev.ready["operatorPid"]
    try:
        wait_for(lambda: '"ready"' in log.read_text(), "the second gateway is in sync")
        free = ["get", "wsf", "dev", "-o", "jsonpath={.status.free}"]
        wait_for(lambda: dev.kubectl(*free) == "2", "two free instances")
        os.kill(operator, signal.SIGSTOP)
        servers = []
        for client in (dev.request(), Peer(socket.create_connection(("127.0.0.1", port)), True)):
            if servers:
                client.send_raw(upgrade_request())
            server = master.receive()
            server.send_raw(switching_protocols(server.receive_head()))
            assert client.receive_head().startswith("HTTP/1.1 101 ")
            client.send(TEXT, b"mine")
            server.expect(TEXT, b"mine")
            servers.append((client, server))
        assert servers[0][1].pid != servers[1][1].pid
    finally:
        os.kill(operator, signal.SIGCONT)
        second.kill()
        second.wait()
        dev.close()
        master.close()


def test_a_server_and_its_sidecar_inherit_no_connection_of_the_platform(puppets):
    first = puppets.connect()
    live = puppets.connect()  # started while the platform holds connections
    sockets = [os.readlink(entry) for entry in
               pathlib.Path(f"/proc/{live.server.pid}/fd").iterdir() if entry.is_symlink()]
    assert sum(name.startswith("socket:") for name in sockets) <= 4, sockets
    first.client.end()
    live.client.end()


@pytest.mark.parametrize("reason, code, name", [
    ("GatewayShutdown", 500, "GatewayShutdown"), ("FunctionStopped", 499, "RequestCanceled"),
    ("RevisionRetired", 499, "RevisionRetired")], ids=["P20", "P15", "P23"])
def test_the_platform_ends_a_handshake_house_M14(rig, reason, code, name):
    client = rig.claim()
    assert sidecar_says(client) == ("102", "taken")
    server = rig.master.receive()
    server.receive_head()
    rig.control("end", extra=f"X-Wsf-Reason: {reason}\r\n")
    head = client.receive_head()
    assert head.startswith("HTTP/1.1 503 ")
    # The client is told what the record says.
    assert (field(head, "X-Wsf-Status-Code"), field(head, "X-Wsf-Reason")) == (str(code), name)
    record = rig.record()
    assert (record["statusCode"], record["reason"], record["closedBy"]) == (code, name, "platform")
    assert "established" not in record
    server.end()


def test_D35_a_free_sidecar_that_is_asked_with_another_token_fetches_its_token_anew(rig):
    """The operator's keys may have been replaced. Whoever guesses costs one report, not one each."""
    assert rig.reports.read_text().split() == ["listening"]
    for _ in range(5):
        assert sidecar_says(rig.claim(token="another")) == ("403", "denied")
    rig.wait_for(lambda: rig.reports.read_text().split() == ["listening"] * 2)
    for _ in range(5):
        rig.control("state", token="another")
    assert rig.control("state") == "free"
    assert rig.reports.read_text().split() == ["listening"] * 2
