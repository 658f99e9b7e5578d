# SPDX-License-Identifier: Apache-2.0
"""Table 7.1 through the real gateway and sidecar: what the client gets, the record or, where there is
none, the log line and the metric."""
import select
import threading
import time

import pytest

from dev_rig import Dev, wait_for
from peers import DEADLINE, TEXT, field, switching_protocols
from refusals import Refused, check_refusal

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test

PYTHON = "/usr/bin/python3"


def raw_request(dev, text):
    client = dev.dial()
    client.send_raw(text if isinstance(text, bytes) else text.encode())
    return client


def upgrade(*fields, target="/", method="GET", version="1.1"):
    lines = [f"{method} {target} HTTP/{version}", *fields]
    return "\r\n".join(lines) + "\r\n\r\n"


ORDINARY = ["Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]


def without(name):
    return [f for f in ORDINARY if not f.startswith(name)]


def test_H01_S0_25_plain_http_is_told_to_upgrade(wsf):
    refused = Refused(wsf.dev, "UpgradeRequired")
    client = raw_request(wsf.dev, upgrade("Host: localhost"))
    head, _ = check_refusal(client, 426, 0, "UpgradeRequired")
    assert field(head, "Upgrade") == "websocket"
    refused.check()


def test_H02_an_unknown_function(tmp_path, programs):
    """Also one that was deleted: at once, while its name is still known to its clients."""
    dev = Dev(tmp_path, programs, [PYTHON, "-c", "pass"])
    try:
        refused = Refused(dev, "FunctionNotFound")
        dev.kubectl("delete", "wsf", "dev")
        check_refusal(dev.request("/default/dev"), 404, 435, "FunctionNotFound")
        refused.check()
    finally:
        dev.close()


def test_H03_a_suspended_function(tmp_path, programs):
    dev = Dev(tmp_path, programs, [PYTHON, "-c", "pass"], ["--set", "suspend=true"])
    try:
        refused = Refused(dev, "FunctionStatusError")
        _, message = check_refusal(dev.request(), 503, 438, "FunctionStatusError")
        assert "suspend" in message
        refused.check()
    finally:
        dev.close()


def test_H05_a_function_that_is_switched_off(tmp_path, programs):
    dev = Dev(tmp_path, programs, [PYTHON, "-c", "pass"], ["--set", "maxInstances=0"])
    try:
        check_refusal(dev.request(), 429, 432, "ResourceLimitReached")
    finally:
        dev.close()


def test_H04_beyond_max_instances(tmp_path, programs):
    """The second client is refused while the first is served."""
    from puppets import COMMAND, PuppetMaster
    master = PuppetMaster(tmp_path / "puppet.sock")
    dev = Dev(tmp_path / "dev", programs, COMMAND, ["--set", "maxInstances=1"],
              {"PUPPET": str(master.path)})
    try:
        first = dev.request()
        server = master.receive()
        server.send_raw(switching_protocols(server.receive_head()))
        assert " 101 " in first.receive_head()
        head, _ = check_refusal(dev.request(), 429, 432, "ResourceLimitReached")
        assert int(field(head, "Retry-After")) > 0
        first.send(TEXT, b"still here")
        server.expect(TEXT, b"still here")
    finally:
        dev.close()
        master.close()


def test_H10_S0_02_D37_a_command_that_cannot_be_started(tmp_path, programs):
    """Its client is told a code and a reason, its owner what was found on the machine."""
    program = tmp_path / "gone"
    program.write_text("#!/nonexistent/interpreter\n")
    program.chmod(0o755)
    dev = Dev(tmp_path / "dev", programs, [str(program)])
    try:
        _, message = check_refusal(dev.request(), 502, 445, "ContainerInitError")
        assert "gone" not in message
        wait_for(lambda: "gone" in dev.kubectl("get", "events"), "the Event tells it")
        wait_for(lambda: "gone" in dev.output(), "the console tells it")
    finally:
        dev.close()


def test_H11_a_server_that_exits_before_it_listens(tmp_path, programs):
    dev = Dev(tmp_path, programs, [PYTHON, "-c", "raise SystemExit(7)"])
    try:
        _, message = check_refusal(dev.request(), 502, 405, "ContainerStateExited")
        assert "status 7" in message
        assert "InstanceFailed" in dev.kubectl("get", "events")
    finally:
        dev.close()


def test_H12_a_server_that_never_listens(tmp_path, programs):
    dev = Dev(tmp_path, programs, [PYTHON, "-c", "import time; time.sleep(600)"],
              ["--set", "initTimeoutSeconds=3"])
    try:
        _, message = check_refusal(dev.request(), 504, 446, "PortBindingFailed")
        assert "9000" in message
    finally:
        dev.close()


def test_H14_a_client_that_leaves_leaves_its_instance_to_the_next(tmp_path, programs):
    """The server listens when the test lets it: by then the first client has gone."""
    gate = tmp_path / "gate"
    code = (f"import os, socket, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(.01)\n"
            "s = socket.create_server(('0.0.0.0', 9000)); c, _ = s.accept(); c.recv(9999)\n"
            "c.sendall(b'HTTP/1.1 403 Forbidden\\r\\nContent-Length: 4\\r\\n\\r\\n'"
            " + b'%04d' % (os.getpid() % 10000))\ntime.sleep(600)")
    dev = Dev(tmp_path / "dev", programs, [PYTHON, "-c", code])
    try:
        refused = Refused(dev, "RequestCanceled")
        first = dev.request()
        pods = wait_for(lambda: dev.kubectl("get", "pods", "-o", "name").split(), "an instance")
        first.end()
        refused.check()
        second = dev.request()
        gate.touch()
        assert second.receive_head().startswith("HTTP/1.1 403")
        assert len(pods) == 1
        record = wait_for(dev.records, "the record")[0]
        assert f"pod/{record['instance']}" == pods[0], "the same instance served the second client"
        assert len(dev.records()) == 1
    finally:
        dev.close()


def test_H16_client_leaves_before_the_101(wsf):
    client = wsf.dev.request()
    server = wsf.master.receive()
    request_id = field(server.receive_head(), "X-Wsf-Request-Id")
    client.end()
    server.expect_end()
    record = wsf.dev.record(request_id)
    assert (record["statusCode"], record["reason"], record["closedBy"]) == (
        499, "RequestCanceled", "client")
    assert "established" not in record and record["billedMs"] == 0


def answered(wsf, answer: bytes, then=lambda server: None):
    """The raw answer that the client gets when the server sends `answer`, and the record."""
    client = wsf.dev.request()
    server = wsf.master.receive()
    request_id = field(server.receive_head(), "X-Wsf-Request-Id")
    if answer:
        server.send_raw(answer)
    then(server)
    return client.receive_all().decode("latin-1"), wsf.dev.record(request_id)


def check_record(record, code, reason, closed_by, http_status):
    got = tuple(record[k] for k in ("statusCode", "reason", "closedBy", "httpStatus"))
    assert got == (code, reason, closed_by, http_status)


@pytest.mark.parametrize("status", [204, 302, 401, 403, 404, 426], ids=lambda s: f"H17-{s}")
def test_S0_07_the_servers_refusal_passes_as_it_is(wsf, status):
    text, record = answered(wsf, f"HTTP/1.1 {status} Because\r\nX-Mine: a\r\nX-Mine: b\r\n"
                            "X-Wsf-Forged: x\r\nSet-Cookie: c=d\r\nContent-Length: 5\r\n\r\nhello"
                            .encode() if status != 204 else b"HTTP/1.1 204 No\r\n\r\n")
    assert text.startswith(f"HTTP/1.1 {status} ")
    assert "Connection: close" in text and "X-Wsf-Forged" not in text
    if status != 204:
        assert text.endswith("\r\n\r\nhello")
        assert text.index("X-Mine: a") < text.index("X-Mine: b") and "Set-Cookie: c=d" in text
    check_record(record, 200, "HandshakeRejected", "server", status)
    assert record["status"] == "success"


def test_H17_a_chunked_refusal_ends_where_its_chunks_end(wsf):
    body = b"3\r\nabc\r\n0\r\n\r\n"
    text, record = answered(
        wsf, b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert text.endswith("\r\n\r\n" + body.decode())
    check_record(record, 200, "HandshakeRejected", "server", 403)


def test_H17_a_chunk_head_may_be_cut_anywhere(wsf):
    """Each byte of the refusal comes by itself."""
    client = wsf.dev.request()
    server = wsf.master.receive()
    server.receive_head()
    body = b"10\r\n0123456789abcdef\r\n3\r\nabc\r\n0\r\n\r\n"
    for byte in b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n" + body:
        server.send_raw(bytes([byte]))
    assert client.receive_all().endswith(b"\r\n\r\n" + body)


def test_H17_a_large_refusal_arrives_whole(wsf):
    chunks = b"".join(b"%x\r\n" % n + b"x" * n + b"\r\n" for n in range(1, 3000)) + b"0\r\n\r\n"
    client = wsf.dev.request()
    server = wsf.master.receive()
    head = server.receive_head()
    sender = threading.Thread(target=server.send_raw, args=(
        b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,))
    sender.start()
    assert client.receive_all().split(b"\r\n\r\n", 1)[1] == chunks
    sender.join()
    assert wsf.dev.record(field(head, "X-Wsf-Request-Id"))["httpStatus"] == 403


def test_H17_interim_answers_pass_and_the_waiting_goes_on(wsf):
    client = wsf.dev.request()
    server = wsf.master.receive()
    head = server.receive_head()
    server.send_raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    interim = client.receive_head()
    assert interim.startswith("HTTP/1.1 103") and "Link: </a>" in interim
    server.send_raw(switching_protocols(head))
    assert client.receive_head().startswith("HTTP/1.1 101")
    client.end()


@pytest.mark.parametrize("status", [500, 503], ids=lambda s: f"H18-{s}")
def test_the_servers_failure_passes_and_counts_as_its_own(wsf, status):
    text, record = answered(
        wsf, f"HTTP/1.1 {status} Oops\r\nContent-Length: 2\r\n\r\nno".encode())
    assert text.startswith(f"HTTP/1.1 {status} ") and text.endswith("\r\n\r\nno")
    check_record(record, 443, "UserCodeError", "server", status)


def test_H19_the_server_hangs_up(wsf):
    text, record = answered(wsf, b"", lambda server: server.end())
    assert text.startswith("HTTP/1.1 502 ")
    check_record(record, 443, "UserCodeError", "server", 502)


def test_H20_the_server_exits_during_the_handshake(wsf):
    text, record = answered(wsf, b"", lambda server: server.exit(3))
    assert text.startswith("HTTP/1.1 502 ")
    check_record(record, 439, "UserProcessExited", "server", 502)
    assert record["exitCode"] == 3


@pytest.mark.parametrize("kind", ["bytes", "fields"], ids=lambda k: f"H23-{k}")
def test_a_head_that_is_too_large(wsf, kind):
    more = ["A: " + "x" * 17000] if kind == "bytes" else [f"A{i}: b" for i in range(101)]
    refused = Refused(wsf.dev, "HeaderTooLarge")
    check_refusal(raw_request(wsf.dev, upgrade(*ORDINARY, *more)), 431, 0, "HeaderTooLarge")
    refused.check()


def test_H29_a_target_over_8_kib(wsf):
    client = raw_request(wsf.dev, upgrade(*ORDINARY, target="/" + "a" * 9000))
    check_refusal(client, 414, 0, "BadRequest")


def test_H29_bytes_before_the_101_while_waiting(wsf):
    client = wsf.dev.request()
    server = wsf.master.receive()
    head = server.receive_head()
    client.send_raw(b"\x81\x80\0\0\0\0")
    check_refusal(client, 400, 0, "BadRequest")
    server.expect_end()
    assert wsf.dev.record(field(head, "X-Wsf-Request-Id"))["statusCode"] == 499


def test_S0_06_S3_08_the_request_reaches_the_server_as_sent(wsf):
    target = "/a/%C3%A9?a=b&c=%20%2F&d="
    cookie = "c=" + "x" * 7000
    extra = ("X-Dup: 1\r\nx-dup: 2\r\nOrigin: http://localhost:3000\r\nAuthorization: Bearer t\r\n"
             f"Cookie: {cookie}\r\nSec-WebSocket-Protocol: chat, superchat\r\n"
             "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
             "X-Wsf-Claim: forged\r\nX_Wsf_Request_Id: forged\r\nX-Forwarded-For: 6.6.6.6\r\n")
    session = wsf.connect(extra, answer="Sec-WebSocket-Protocol: superchat\r\nSet-Cookie: a=b\r\n",
                          path=target)
    head = session.request_head
    assert head.startswith(f"GET {target} HTTP/1.1\r\n")
    for line in ("X-Dup: 1", "x-dup: 2", "Origin: http://localhost:3000", "Authorization: Bearer t",
                 f"Cookie: {cookie}", "Sec-WebSocket-Protocol: chat, superchat",
                 "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
                 "Host: localhost", "X-Forwarded-For: 127.0.0.1", "X-Wsf-Function: dev",
                 "X-Wsf-Namespace: default"):
        assert f"\r\n{line}" in head + "\r\n", line
    assert head.index("X-Dup: 1") < head.index("x-dup: 2")
    assert "forged" not in head and "6.6.6.6" not in head
    assert "X-Wsf-Claim" not in head and "X-Wsf-Settings" not in head
    assert "Sec-WebSocket-Protocol: superchat" in session.answer_head
    assert "Set-Cookie: a=b" in session.answer_head
    session.client.send_close(1000)
    session.server.expect_close(1000)
    session.server.send_close(1000)
    assert session.record()["subprotocol"] == "superchat"


def test_S0_10_S3_19_the_record_of_a_session(wsf):
    session = wsf.connect()
    started = time.time()
    session.client.send(TEXT, b"x")
    session.server.expect(TEXT, b"x")
    session.client.send_close(1000)
    session.server.expect_close(1000)
    session.server.send_close(1000)
    record = session.record()
    assert record["function"] == "dev" and record["namespace"] == "default"
    assert record["instance"].startswith(record["revision"] + "-")
    assert record["requestStart"] <= record["established"] <= record["ended"]
    assert 0 <= record["billedMs"] <= record["durationMs"] <= (time.time() - started + 60) * 1000
    assert sum(r["requestId"] == session.request_id for r in wsf.dev.records()) == 1


def test_P12_a_subprotocol_is_recorded_only_where_the_function_says_so(rig):
    """Browsers put tokens there: they have no other header."""
    offer = "Sec-WebSocket-Protocol: token.secret\r\n"
    session = rig.connect(offer, answer=offer)
    session.client.end()
    assert "subprotocol" not in session.record()


def test_a_subprotocol_that_is_no_utf8_does_not_lose_the_record(wsf):
    client = wsf.dev.dial()
    client.send_raw(upgrade(*ORDINARY).encode()[:-2] + b"Sec-WebSocket-Protocol: \xff\xfe\r\n\r\n")
    server = wsf.master.receive()
    head = server.receive_head()
    answer = switching_protocols(head)[:-2] + b"Sec-WebSocket-Protocol: \xff\xfe\r\n\r\n"
    server.send_raw(answer)
    client.receive_head()
    client.end()
    record = wsf.dev.record(field(head, "X-Wsf-Request-Id"))
    assert record["subprotocol"] == "\ufffd\ufffd"


def test_U10_a_page_from_elsewhere_and_a_rebound_name_are_refused(wsf):
    check_refusal(wsf.dev.request(extra="Origin: https://evil.example\r\n"), 403, 0,
                  "OriginNotAllowed")
    check_refusal(wsf.dev.request(host="evil.example"), 421, 0, "BadRequest")


def test_E22_a_server_that_takes_too_much_memory(tmp_path, programs):
    code = ("import socket, hashlib, base64, time\n"
            "s = socket.create_server(('0.0.0.0', 9000)); c, _ = s.accept(); h = c.recv(65536)\n"
            "k = [l for l in h.split(b'\\r\\n') if l.lower().startswith(b'sec-websocket-key')][0]\n"
            "k = k.split(b':')[1].strip() + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'\n"
            "a = base64.b64encode(hashlib.sha1(k).digest())\n"
            "c.sendall(b'HTTP/1.1 101 S\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n'\n"
            "          b'Sec-WebSocket-Accept: ' + a + b'\\r\\n\\r\\n')\n"
            "c.recv(1); x = bytearray(300 << 20); time.sleep(600)")
    dev = Dev(tmp_path, programs, [PYTHON, "-c", code],
              ["--set", 'resources={"limits": {"memory": "100Mi"}}'])
    try:
        client = dev.request()
        assert " 101 " in client.receive_head()
        client.send(TEXT, b"grow")
        client.expect_end()
        record = wait_for(dev.records, "the record")[0]
        assert (record["statusCode"], record["reason"]) == (434, "MemoryLimitReached")
    finally:
        dev.close()


def test_H30_a_full_queue_refuses_the_next(tmp_path, programs):
    """As many as the queue holds wait for a server that never listens; the next is told at once."""
    dev = Dev(tmp_path, programs, [PYTHON, "-c", "import time; time.sleep(600)"],
              ["--set", "maxInstances=2", "--set", "instanceConcurrency=100",
               "--set", "initTimeoutSeconds=300", "--gateway-flag=--max-waiting=100"])
    try:
        clients = [dev.request() for _ in range(101)]
        refused, _, _ = select.select([client.sock for client in clients], [], [], DEADLINE)
        assert len(refused) == 1
        client = next(client for client in clients if client.sock is refused[0])
        head, _ = check_refusal(client, 503, 432, "ResourceLimitReached")
        assert int(field(head, "Retry-After")) > 0
        assert select.select([c.sock for c in clients if c is not client], [], [], 0)[0] == []
    finally:
        dev.close()


def test_H22_the_hint_names_the_field_that_bounds_a_handshake(tmp_path, programs):
    dev = Dev(tmp_path, programs, [str(programs / "wsf-test-server")],
              ["--set", "handshakeTimeoutSeconds=1"])
    try:
        check_refusal(dev.request("/wait"), 504, 433, "HandshakeTimeout")
        wait_for(lambda: "raise handshakeTimeoutSeconds" in dev.output(), "the console says so")
        assert "raise executionTimeoutSeconds" not in dev.output()
    finally:
        dev.close()
