# SPDX-License-Identifier: Apache-2.0
"""No answer ever comes: every wait between two parts has an end (faults.md 20 to 26, 37)."""
import os
import signal
import socket

import pytest

from private_network import PrivateNetwork
from rig import TEXT, FaultRig, Peer, field, name_of, upgrade_request, wait_for

from dev_rig import DevRig
from peers import switching_protocols
from test_hostile_clients import echoes

SOON = 100  # s; what is looked for takes 20 s, or 60 s of a client


@pytest.fixture
def network():
    with PrivateNetwork() as network:
        yield network


@pytest.fixture
def rig(tmp_path, programs):
    rig = DevRig(tmp_path, programs, ["--set", "limits.profile=open", "--set", "handshakeTimeoutSeconds=2"])
    yield rig
    rig.dev.close()
    rig.master.close()


@pytest.mark.long(25)
@pytest.mark.parametrize("speaks", [False, True], ids=["silent", "with bytes on their way"])
def test_D09_house_M4_fault_26_every_packet_to_an_instance_is_dropped(network, tmp_path, programs, speaks):
    rig = FaultRig(tmp_path, programs, through_proxy=False)
    try:
        client, request_id = rig.open()
        pod, = rig.pods()
        network.lose(pod["status"]["podIP"])
        if speaks:
            client.send(TEXT, b"lost")
        client.sock.settimeout(SOON)
        assert client.receive_all() == b""
        network.find(pod["status"]["podIP"])
        assert rig.dev.record(request_id)["statusCode"] in (456, 500)  # the relay lost its gateway
        other, _ = rig.open()
        assert echoes(other)
        other.end()
        rig.rest(2)
    finally:
        rig.close()


@pytest.mark.long(65)
@pytest.mark.timeout(240)
def test_D09_A26_fault_37_a_client_that_is_gone_without_a_word(network, tmp_path, programs):
    """Its server goes on sending, and is paid for."""
    rig = FaultRig(tmp_path, programs, through_proxy=False)
    try:
        client = Peer(socket.create_connection(("127.0.0.1", rig.dev.port), source_address=("127.9.9.9", 0)),
                      masks=True)
        client.send_raw(upgrade_request("/echo"))
        request_id = field(client.receive_head(), "X-Wsf-Request-Id")
        assert echoes(client)
        network.lose("127.9.9.9")
        record = wait_for(lambda: next((r for r in rig.dev.records() if r["requestId"] == request_id), None),
                          "its record", SOON)
        assert record["statusCode"] == 456
        rig.rest(1)
    finally:
        rig.close()


def sidecars(rig: DevRig) -> list[int]:
    return [pid for pid in rig.dev.processes() if name_of(pid) == "wsf-sidecar"]


@pytest.mark.long(10)
def test_D09_H26_a_relay_that_stops_before_the_101(rig):
    client = rig.dev.request()
    server = rig.master.receive()
    head = server.receive_head()
    relay, = sidecars(rig)
    os.kill(relay, signal.SIGSTOP)
    server.send_raw(switching_protocols(head))
    assert client.receive_head().startswith("HTTP/1.1 502 ")
    os.kill(relay, signal.SIGKILL)
    session = rig.connect()
    session.client.send(TEXT, b"x")
    session.server.expect(TEXT, b"x")


def flooded_with_hints(rig, ends_by):
    """A client that reads nothing and its server, whose interim answers have filled every buffer."""
    client = rig.dev.request()
    server = rig.master.receive()
    server.receive_head()
    server.sock.settimeout(0.5)
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: <" + b"x" * 8000 + b">\r\n\r\n"
    with pytest.raises(ends_by):
        for _ in range(100_000):
            server.send_raw(hint)
    return client, server


def test_D51_H14_a_client_that_takes_no_interim_answer_and_leaves(rig):
    """Until every buffer on the way is full; then it only says that it says no more."""
    client, server = flooded_with_hints(rig, TimeoutError)
    client.sock.shutdown(socket.SHUT_WR)
    server.sock.settimeout(SOON)
    server.receive_all()
    wait_for(lambda: rig.dev.records(), "its record")
    assert rig.dev.records()[0]["statusCode"] == 499


@pytest.mark.long(8)
def test_D51_H22_a_client_that_takes_no_interim_answer_and_stays(rig):
    client, _ = flooded_with_hints(rig, (TimeoutError, OSError))
    wait_for(lambda: rig.dev.records(), "its record")
    assert rig.dev.records()[0]["statusCode"] == 433
    client.sock.settimeout(SOON)
    client.receive_all()


@pytest.mark.parametrize("more, status", [(60_000, 101), (65_000, 101), (66_000, 502), (80_000, 502)])
def test_D54_H18_an_answers_head_has_one_limit(rig, more, status):
    """What the relay takes its gateway takes too; what is too large is tried once."""
    client = rig.dev.request()
    server = rig.master.receive()
    lines = "".join(f"X-{number}: {'x' * 990}\r\n" for number in range(more // 1000))
    server.send_raw(switching_protocols(server.receive_head(), lines))
    assert client.receive_head().startswith(f"HTTP/1.1 {status} ")
    rig.master.listener.settimeout(1)
    with pytest.raises(TimeoutError):
        rig.master.receive()
