# SPDX-License-Identifier: Apache-2.0
"""A client behind a bad line: delayed, throttled, half-open, cut (faults.md, the fault proxy)."""
import socket

import pytest

from rig import CLOSE, TEXT, FaultRig, Peer, close_body, field, upgrade_request
from stream_proxy import StreamProxy


@pytest.fixture(scope="module")
def rig(tmp_path_factory, programs):
    rig = FaultRig(tmp_path_factory.mktemp("line"), programs, through_proxy=False)
    yield rig
    rig.close()


@pytest.fixture
def line(rig):
    proxy = StreamProxy(("127.0.0.1", rig.dev.port))
    yield proxy
    proxy.close()


def connect(line: StreamProxy) -> tuple[Peer, str]:
    client = Peer(socket.create_connection(line.address), masks=True)
    client.send_raw(upgrade_request("/echo"))
    head = client.receive_head()
    assert head.startswith("HTTP/1.1 101 "), head
    return client, field(head, "X-Wsf-Request-Id")


@pytest.mark.parametrize("fault, value", [("delay", 0.1), ("rate", 5000)])
def test_a_slow_line_changes_nothing(rig, line, fault, value):
    setattr(line, fault, value)
    client, request_id = connect(line)
    client.send(TEXT, b"x" * 100)
    client.expect(TEXT, b"x" * 100)
    client.send(CLOSE, close_body(1000))
    client.expect_close(1000)
    client.end()
    assert rig.dev.record(request_id)["statusCode"] == 200


def test_what_a_half_open_line_held_back_arrives_later(rig, line):
    client, request_id = connect(line)
    line.swallow = True
    client.send(TEXT, b"held")
    client.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.receive()
    client.sock.settimeout(20)
    line.swallow = False
    client.expect(TEXT, b"held")
    client.reset()
    assert rig.dev.record(request_id)["statusCode"] == 456


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_fault_39_a_line_cut_within_a_frame(rig, line, reset):
    client, request_id = connect(line)
    line.reset = reset
    line.cut_after = 3  # of the 7 bytes that follow
    client.send(TEXT, b"x")
    client.expect_end()
    assert rig.dev.record(request_id)["reason"] == "ClientConnectionLost"
