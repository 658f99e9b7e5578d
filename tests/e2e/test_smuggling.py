# SPDX-License-Identifier: Apache-2.0
"""G24, S4: what is not exactly a WebSocket handshake, and not exactly its acceptance, never opens a
tunnel: 0 bytes reach the other side."""
import json
import select

import pytest

from peers import Peer, accept_for, field
from refusals import check_refusal

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TUNNELLED = "GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n"  # what a smuggler would slip through
FIELDS = {"Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade",
          "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}


def request(line: str = "GET / HTTP/1.1", drop: str = "", extra: str = "", behind: str = "",
            end: str = "\r\n", **changed: str) -> str:
    """An ordinary handshake but for what is said; `changed` names fields with _ for -."""
    fields = dict(FIELDS)
    fields.pop(drop, None)
    for name, value in changed.items():
        fields[name.replace("_", "-")] = value
    head = line + end + "".join(f"{name}: {value}{end}" for name, value in fields.items())
    return head + extra + end + behind


REQUESTS = {
    # Not this method, this version, this target.
    "post": request("POST / HTTP/1.1"), "head": request("HEAD / HTTP/1.1"),
    "connect": request("CONNECT localhost:80 HTTP/1.1"), "options": request("OPTIONS * HTTP/1.1"),
    "lower-case-get": request("get / HTTP/1.1"), "trace": request("TRACE / HTTP/1.1"),
    "http-1.0": request("GET / HTTP/1.0"), "http-0.9": "GET /\r\n\r\n",
    "http-2.0": request("GET / HTTP/2.0"), "http-1.2": request("GET / HTTP/1.2"),
    "no-version": request("GET /"), "two-spaces": request("GET  / HTTP/1.1"),
    "tab-in-line": request("GET\t/ HTTP/1.1"), "space-behind": request("GET / HTTP/1.1 "),
    "absolute-target": request("GET http://elsewhere.example/ HTTP/1.1"),
    "star-target": request("GET * HTTP/1.1"), "no-slash": request("GET a HTTP/1.1"),
    "space-in-target": request("GET /a b HTTP/1.1"), "nul-in-target": request("GET /\0 HTTP/1.1"),
    "lower-case-http": request("GET / http/1.1"), "h2-preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    # Lines and fields that are read differently by different servers.
    "all-lf": request(end="\n"), "bare-lf-in-field": request(extra="A: b\nC: d\r\n"),
    "bare-cr-in-field": request(extra="A: b\rC: d\r\n"), "folded": request(extra="A: b\r\n c\r\n"),
    "folded-first": request("GET / HTTP/1.1\r\n A: b"), "nul-in-field": request(extra="A: b\0c\r\n"),
    "space-before-colon": request(extra="A : b\r\n"), "tab-before-colon": request(extra="A\t: b\r\n"),
    "no-colon": request(extra="garbage\r\n"), "empty-name": request(extra=": b\r\n"),
    "odd-name": request(extra="A(b): c\r\n"), "leading-space": request(extra=" A: b\r\n"),
    "high-byte-name": request(extra="\xe9: b\r\n"), "space-in-name": request(extra="A b: c\r\n"),
    "space-before-transfer-encoding-colon": request(extra="Transfer-Encoding : chunked\r\n"),
    "cr-cr-lf": request(extra="A: b\r\r\n"),
    # A body, or the claim of one.
    "content-length": request(extra="Content-Length: 5\r\n", behind="hello"),
    "content-length-00": request(extra="Content-Length: 00\r\n"),
    "content-length-plus-0": request(extra="Content-Length: +0\r\n"),
    "two-zeros": request(extra="Content-Length: 0\r\nContent-Length: 0\r\n"),
    "zero-and-more": request(extra="Content-Length: 0\r\n", behind=TUNNELLED),
    "two-content-lengths": request(extra="Content-Length: 0\r\nContent-Length: 40\r\n"),
    "negative-content-length": request(extra="Content-Length: -1\r\n"),
    "chunked": request(extra="Transfer-Encoding: chunked\r\n", behind="0\r\n\r\n"),
    "chunked-x": request(extra="Transfer-Encoding: xchunked\r\n"),
    "te-identity": request(extra="Transfer-Encoding: identity\r\n"),
    "both": request(extra="Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", behind="0\r\n\r\n"),
    # Bytes behind the head, before the answer.
    "pipelined": request(behind=TUNNELLED), "early-frame": request(behind="\x81\x80\0\0\0\0"),
    "pipelined-to-version-8": request(Sec_WebSocket_Version="8", behind=TUNNELLED),
    # Host.
    "no-host": request(drop="Host"), "two-hosts": request(extra="Host: other\r\n"),
    "empty-host": request(Host=""),
    # Upgrade and Connection.
    "two-upgrades": request(extra="Upgrade: h2c\r\n"), "no-connection": request(drop="Connection"),
    "connection-close": request(Connection="close"),
    "connection-names-key": request(Connection="Upgrade, Sec-WebSocket-Key"),
    "connection-names-host": request(Connection="Upgrade, Host"),
    "connection-upgrade-x": request(Connection="Upgrade-x"),
    # The handshake's own fields.
    "no-version-field": request(drop="Sec-WebSocket-Version"),
    "two-versions": request(extra="Sec-WebSocket-Version: 13\r\n"),
    "version-list": request(Sec_WebSocket_Version="13, 8"),
    "version-word": request(Sec_WebSocket_Version="thirteen"),
    "version-empty": request(Sec_WebSocket_Version=""), "no-key": request(drop="Sec-WebSocket-Key"),
    "two-keys": request(extra=f"Sec-WebSocket-Key: {KEY}\r\n"),
    "short-key": request(Sec_WebSocket_Key="c2hvcnQ="),
    "long-key": request(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ=="),
    "key-not-base64": request(Sec_WebSocket_Key="!" * 24),
    # Not HTTP at all.
    "garbage": "hello\r\n\r\n", "empty-lines": "\r\n\r\n", "binary": "\x00\x01\x02\xff\r\n\r\n",
}
# Nothing that asks for a WebSocket: plain HTTP is told so (H01).
PLAIN = {
    "no-upgrade": request(drop="Upgrade"), "h2c": request(Upgrade="h2c"),
    "upgrade-list": request(Upgrade="websocket, h2c"), "upgrade-x": request(Upgrade="websocketx"),
    "upgrade-empty": request(Upgrade=""),
}
assert len(REQUESTS) + len(PLAIN) >= 60


def send(wsf, text: str) -> Peer:
    client = wsf.dev.dial()
    client.send_raw(text.encode("latin-1"))
    return client


def nothing_reached_a_server(wsf) -> bool:
    return not select.select([wsf.master.listener], [], [], 0)[0]


@pytest.mark.parametrize("name", REQUESTS)
def test_H29_G24_a_malformed_request_reaches_no_server(wsf, name):
    client = send(wsf, REQUESTS[name])
    head, message = check_refusal(client, 400, 0, "BadRequest")
    assert message
    assert nothing_reached_a_server(wsf)


@pytest.mark.parametrize("name", PLAIN)
def test_H01_G24_what_asks_for_no_websocket_reaches_no_server(wsf, name):
    check_refusal(send(wsf, PLAIN[name]), 426, 0, "UpgradeRequired")
    assert nothing_reached_a_server(wsf)


def test_a_body_of_0_bytes_is_none_and_is_not_passed_on(wsf):
    """java.net.http says so in every handshake."""
    client = send(wsf, request(extra="Content-Length: 0\r\n"))
    server = wsf.master.receive()
    head = server.receive_head()
    assert field(head, "Content-Length") is None
    server.send_raw(switching(head).encode())
    assert " 101 " in client.receive_head()


def test_H17_G24_a_refused_upgrade_opens_no_tunnel(wsf):
    """The classic: a server that answers 426 to a wrong version, a proxy that tunnels anyway."""
    for answer in (b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"):
        client = send(wsf, request(Sec_WebSocket_Version="8"))
        server = wsf.master.receive()
        server.receive_head()
        server.send_raw(answer)
        assert client.receive_head().split()[1] in ("426", "200")
        try:
            client.send_raw(TUNNELLED.encode())
        except OSError:
            pass  # it is closed already
        assert server.receive_all() == b""


def switching(head: str, line: str = "HTTP/1.1 101 Switching Protocols", upgrade: str = "websocket",
              connection: str = "Upgrade", accept: str | None = None, extra: str = "") -> str:
    if accept is None:
        accept = accept_for(field(head, "Sec-WebSocket-Key"))
    fields = {"Upgrade": upgrade, "Connection": connection, "Sec-WebSocket-Accept": accept}
    return line + "\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items() if v) + extra + "\r\n"


ANSWERS = {
    "status-000": lambda head: "HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n",
    "status-199": lambda head: "HTTP/1.1 199 Odd\r\n\r\n",
    "status-1010": lambda head: switching(head, "HTTP/1.1 1010 S"),
    "no-status": lambda head: "HTTP/1.1 abc\r\n\r\n",
    "not-http": lambda head: "SSH-2.0-OpenSSH\r\n\r\n",
    "bare-101": lambda head: "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "bare-lf": lambda head: switching(head).replace("\r\n", "\n") + "\n",
    "http-1.0": lambda head: switching(head, "HTTP/1.0 101 S"),
    "http-2": lambda head: switching(head, "HTTP/2 101 S"),
    "wrong-accept": lambda head: switching(head, accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    "no-accept": lambda head: switching(head, accept=""),
    "two-accepts": lambda head: switching(
        head, extra=f"Sec-WebSocket-Accept: {accept_for(field(head, 'Sec-WebSocket-Key'))}\r\n"),
    "accept-of-another-case": lambda head: switching(
        head, accept=accept_for(field(head, "Sec-WebSocket-Key")).swapcase()),
    "no-upgrade": lambda head: switching(head, upgrade=""),
    "upgrade-h2c": lambda head: switching(head, upgrade="h2c"),
    "two-upgrades": lambda head: switching(head, extra="Upgrade: h2c\r\n"),
    "no-connection": lambda head: switching(head, connection=""),
    "connection-close": lambda head: switching(head, connection="close"),
    "content-length": lambda head: switching(head, extra="Content-Length: 3\r\n"),
    "chunked": lambda head: switching(head, extra="Transfer-Encoding: chunked\r\n"),
    "subprotocol": lambda head: switching(head, extra="Sec-WebSocket-Protocol: never-offered\r\n"),
    "extension": lambda head: switching(head, extra="Sec-WebSocket-Extensions: never-offered\r\n"),
    "folded": lambda head: switching(head, extra="A: b\r\n c\r\n"),
    "space-before-colon": lambda head: switching(head, extra="A : b\r\n"),
    "nul": lambda head: switching(head, extra="A: b\0c\r\n"),
    "bare-cr": lambda head: switching(head, extra="A: b\rc\r\n"),
}
assert len(ANSWERS) >= 20


@pytest.mark.parametrize("name", ANSWERS)
def test_H19_G24_a_malformed_answer_opens_no_tunnel(wsf, name):
    client = wsf.dev.request()
    server = wsf.master.receive()
    head = server.receive_head()
    server.send_raw(ANSWERS[name](head).encode("latin-1") + b"\x81\x05pwned")
    text = client.receive_all()
    assert text.startswith(b"HTTP/1.1 502 ") and b"pwned" not in text
    assert json.loads(text.split(b"\r\n\r\n")[1])["statusCode"] == 443
    assert server.receive_all() == b""
    record = wsf.dev.record(field(head, "X-Wsf-Request-Id"))
    assert (record["statusCode"], record["reason"], record["closedBy"], record["httpStatus"]) == (
        443, "UserCodeError", "server", 502)
