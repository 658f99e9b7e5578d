# SPDX-License-Identifier: Apache-2.0
"""The handshake, as liberal as the RFCs and the field are; and machines that only knock."""
import os
import signal
import socket

import pytest

from certificates import make_certificate
from dev_rig import DevRig, wait_for
from peers import Peer, TEXT, field, switching_protocols
from refusals import check_refusal
from test_gateway_door import gate  # noqa: F401 (a fixture)
from test_handshakes import ORDINARY, check_record, raw_request, upgrade

CHECK = "/_wsf/healthz"


def accepted(wsf, request: str | bytes):
    """The request reaches a server, whose 101 reaches the client: the head that the server got."""
    client = raw_request(wsf.dev, request)
    server = wsf.master.receive()
    head = server.receive_head()
    server.send_raw(switching_protocols(head))
    assert " 101 " in client.receive_head()
    client.send(TEXT, b"x")
    server.expect(TEXT, b"x")
    client.end()
    return head


# ---- What a server may answer ----

def established(wsf, change) -> str:
    """The head that a client gets where `change` makes the server's answer of an ordinary one."""
    client = wsf.dev.request()
    server = wsf.master.receive()
    server.send_raw(change(switching_protocols(server.receive_head())))
    head = client.receive_head()
    server.send(TEXT, b"x")
    client.expect(TEXT, b"x")
    client.end()
    return head


def test_H19_a_101_that_says_it_has_no_body(wsf):
    head = established(wsf, lambda answer: answer[:-2] + b"Content-Length: 0\r\n\r\n")
    assert head.startswith("HTTP/1.1 101 ")
    assert field(head, "Content-Length") is None


def test_H19_a_101_whose_status_line_has_no_text(wsf):
    assert " 101 " in established(wsf, lambda answer: answer.replace(b" Switching Protocols", b""))


@pytest.mark.parametrize("line, named", [("Content-Length: 5", "Content-Length"),
                                         ("Transfer-Encoding: chunked", "Transfer-Encoding")])
def test_H19_what_is_wrong_with_a_101_is_told(wsf, line, named):
    """To the client, in the record, and on the console."""
    client = wsf.dev.request()
    server = wsf.master.receive()
    request = server.receive_head()
    server.send_raw(switching_protocols(request, line + "\r\n"))
    _, message = check_refusal(client, 502, 443, "UserCodeError")
    assert named in message
    record = wsf.dev.record(field(request, "X-Wsf-Request-Id"))
    check_record(record, 443, "UserCodeError", "server", 502)
    assert named in record["message"]
    wait_for(lambda: f"({record['message']})" in wsf.dev.output(), "its line on the console")


# ---- What a client may ask ----

def test_H29_RFC_9112_3_2_2_a_target_with_its_host(wsf):
    for target in ("http://localhost/a?b=c", "WS://localhost./a?b=c"):
        assert accepted(wsf, upgrade(*ORDINARY, target=target)).startswith("GET /a?b=c HTTP/1.1\r\n")


def test_H29_a_target_with_another_host_than_the_fields(wsf):
    for target in ("http://other/a", "http://localhost:81/a", "localhost:80", "*"):
        check_refusal(raw_request(wsf.dev, upgrade(*ORDINARY, target=target)), 400, 0, "BadRequest")


def test_H29_RFC_9112_2_2_an_empty_line_before_the_request(wsf):
    accepted(wsf, "\r\n" + upgrade(*ORDINARY))
    check_refusal(raw_request(wsf.dev, "\r\n\r\n" + upgrade(*ORDINARY)), 400, 0, "BadRequest")


def test_H19_a_comma_in_quotes_separates_nothing(wsf):
    """What stands in a parameter's quotes was not offered."""
    client = raw_request(wsf.dev, upgrade(
        *ORDINARY, 'Sec-WebSocket-Extensions: x-one; a="1, permessage-deflate, 2"'))
    server = wsf.master.receive()
    server.send_raw(switching_protocols(
        server.receive_head(), "Sec-WebSocket-Extensions: permessage-deflate\r\n"))
    check_refusal(client, 502, 443, "UserCodeError")


def test_H23_a_head_leaves_room_for_what_is_added(wsf):
    """A server that takes 16 KiB, as Node's does, takes the largest head that we let pass."""
    size = 15 * 1024 - len(upgrade(*ORDINARY, "Cookie: "))
    assert len(accepted(wsf, upgrade(*ORDINARY, "Cookie: " + "x" * size))) < 16 * 1024
    client = raw_request(wsf.dev, upgrade(*ORDINARY, "Cookie: " + "x" * (size + 1)))
    _, message = check_refusal(client, 431, 0, "HeaderTooLarge")
    assert "15 KiB" in message


# ---- Machines that knock ----

def refusals(rig: DevRig) -> list[str]:
    return [line for line in rig.dev.metrics().splitlines() if "refused" in line and line[0] != "#"]


def read_all(client: Peer) -> str:
    return client.receive_all().decode()


def test_H33_a_load_balancers_check(wsf):
    before = refusals(wsf)
    for host in ("localhost", "10.0.0.7:8080", "elsewhere.example"):
        answer = read_all(raw_request(wsf.dev, f"GET {CHECK} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
        assert answer.startswith("HTTP/1.1 200 ") and answer.endswith("\r\n\r\nok\n")
    head = read_all(raw_request(wsf.dev, f"HEAD {CHECK} HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert head.startswith("HTTP/1.1 200 ") and head.endswith("\r\n\r\n")
    assert read_all(raw_request(wsf.dev, f"GET {CHECK} HTTP/1.0\r\n\r\n")).startswith("HTTP/1.1 200 ")
    assert refusals(wsf) == before
    check_refusal(raw_request(wsf.dev, upgrade(*ORDINARY, target=CHECK, method="POST")), 400, 0, "BadRequest")


def test_H33_a_check_of_a_stopping_gateway(gate):  # noqa: F811
    rig = gate("--drain-seconds=60")
    session = rig.connect()
    os.kill(rig.dev.ready["gatewayPid"], signal.SIGTERM)

    def answer() -> str:
        return read_all(raw_request(rig.dev, f"GET {CHECK} HTTP/1.1\r\nHost: x\r\n\r\n"))
    wait_for(lambda: answer().startswith("HTTP/1.1 503 "), "it says so")
    session.client.send(TEXT, b"still here")
    session.server.expect(TEXT, b"still here")


KNOCKS = {"at once": b"", "behind its own PROXY header": b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"}


@pytest.mark.parametrize("words", KNOCKS.values(), ids=KNOCKS)
def test_H33_connections_that_end_without_a_word_are_nobodys_refusal(gate, tmp_path, words):  # noqa: F811
    """Of a TCP health check, on a port with PROXY protocol and TLS."""
    certificate = make_certificate(tmp_path / "cert", "localhost")
    rig = gate("--trusted-proxies=127.0.0.1", "--proxy-protocol", f"--tls-certificate={certificate}")
    before = refusals(rig)
    for reset in (False, True):
        for _ in range(50):
            sock = socket.create_connection(("127.0.0.1", rig.dev.port))
            sock.sendall(words)
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
    client = rig.dev.dial()  # behind them in the same queue
    client.send_raw(b"PROXY UNKNOWN\r\n" + f"GET {CHECK} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert read_all(client).startswith("HTTP/1.1 200 ")
    assert refusals(rig) == before
    client = rig.dev.dial()
    client.send_raw(b"PROXY UNKNOWN\r\n" + upgrade("Host: localhost").encode())
    check_refusal(client, 426, 0, "UpgradeRequired")
    wait_for(lambda: "refused" in rig.dev.output(), "the line of one that is refused")
    assert rig.dev.output().count("refused") == 1
