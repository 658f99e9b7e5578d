# SPDX-License-Identifier: Apache-2.0
"""What lies between a client's first byte and its request: TLS, proxies, caps, load, origins."""
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time

import pytest

from certificates import client_context, make_certificate
from dev_rig import DevRig, wait_for
from peers import BINARY, TEXT, Peer, field, switching_protocols, upgrade_request
from refusals import check_refusal
from ports import free_port

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test


@pytest.fixture
def gate(tmp_path, programs):
    """Starts `wsf dev` whose gateway has the given flags."""
    rigs = []

    def start(*flags: str, settings: tuple[str, ...] = ()) -> DevRig:
        every = [f"--gateway-flag={flag}" for flag in flags]
        every += [part for each in settings for part in ("--set", each)]
        rigs.append(DevRig(tmp_path / str(len(rigs)), programs, every))
        return rigs[-1]
    yield start
    for rig in rigs:
        rig.close()


@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path / "cert", "localhost", "a.localhost")


def dial(port: int, context: ssl.SSLContext | None = None, name: str = "localhost") -> Peer:
    sock = socket.create_connection(("127.0.0.1", port))
    if context is not None:
        sock.settimeout(20)
        sock = context.wrap_socket(sock, server_hostname=name)
    return Peer(sock, masks=True)


def establish(rig: DevRig, client: Peer, extra: str = "", host: str = "localhost"):
    """Passes the handshake; the server's end and the request head that it got."""
    client.send_raw(upgrade_request("/", host, extra))
    server = rig.master.receive()
    head = server.receive_head()
    server.send_raw(switching_protocols(head))
    assert client.receive_head().startswith("HTTP/1.1 101 ")
    return server, head


def close(rig: DevRig, client: Peer, server) -> None:
    client.send_close(1000)
    server.expect_close(1000)
    server.send_close(1000)
    client.expect_close(1000)


# ---- TLS ----

def test_S0_04_S3_07_one_port_serves_ws_and_wss(gate, certificate):
    rig = gate(f"--tls-certificate={certificate}")
    for context, proto in ((None, "http"), (client_context(certificate), "https")):
        client = dial(rig.dev.port, context)
        server, head = establish(rig, client)
        assert field(head, "X-Forwarded-Proto") == proto
        for size in (0, 1, 16384, 1_000_000):
            client.send(BINARY, b"u" * size)
            server.expect(BINARY, b"u" * size)
            server.send(BINARY, b"d" * size)
            client.expect(BINARY, b"d" * size)
        close(rig, client, server)
    assert sorted(r["statusCode"] for r in wait_for(
        lambda: len(rig.dev.records()) == 2 and rig.dev.records(), "two records")) == [200, 200]


def test_S0_04_a_port_of_its_own_for_wss(gate, certificate):
    port = free_port()
    rig = gate(f"--tls-certificate={certificate}", f"--tls-listen=127.0.0.1:{port}")
    client = dial(port, client_context(certificate))
    server, _ = establish(rig, client)
    close(rig, client, server)
    plain = dial(port)
    plain.send_raw(upgrade_request())
    assert b"HTTP" not in plain.receive_all()


def test_S23_tls_1_2_and_1_3_and_http_1_1_alone(gate, certificate):
    rig = gate(f"--tls-certificate={certificate}")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client_context(certificate)
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
        client = dial(rig.dev.port, context)
        assert client.sock.selected_alpn_protocol() == "http/1.1"
        server, _ = establish(rig, client)
        close(rig, client, server)


@pytest.mark.parametrize("old", ["alpn", "tls1.1"])
def test_H24_S23_a_tls_handshake_that_fails_costs_no_instance(gate, certificate, old):
    rig = gate(f"--tls-certificate={certificate}")
    context = client_context(certificate)
    if old == "alpn":
        context.set_alpn_protocols(["h2"])
    else:
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        dial(rig.dev.port, context)
    wait_for(lambda: 'reason="TlsFailed"' in rig.dev.metrics(), "the refusal is counted")
    assert rig.dev.records() == []


def test_H29_the_certificate_follows_the_name_and_host_must_be_that_name(gate, certificate,
                                                                         tmp_path):
    other = make_certificate(tmp_path / "other", "b.localhost")
    rig = gate(f"--tls-certificate={certificate}", f"--tls-certificate={other}")
    context = client_context(certificate, other)
    for name in ("localhost", "b.localhost"):  # the context checks the certificate's name
        client = dial(rig.dev.port, context, name)
        server, _ = establish(rig, client, host=name)
        close(rig, client, server)
    client = dial(rig.dev.port, context, "localhost")
    client.send_raw(upgrade_request(host="b.localhost"))
    check_refusal(client, 421, 0, "BadRequest")


def test_fault_47_a_new_certificate_is_used_without_a_restart_and_ends_no_session(
        gate, certificate):
    rig = gate(f"--tls-certificate={certificate}")
    before = client_context(certificate)
    client = dial(rig.dev.port, before)
    server, _ = establish(rig, client)
    (certificate / "tls.crt").write_text("nonsense")
    wait_for(lambda: "stays in use" in rig.dev.output(), "the bad file is told")
    dial(rig.dev.port, before).end()
    make_certificate(certificate, "localhost")
    after = client_context(certificate)

    def is_used() -> bool:
        try:
            dial(rig.dev.port, after).end()
            return True
        except ssl.SSLError:
            return False
    wait_for(is_used, "the new certificate is used")
    client.send(TEXT, b"still here")
    server.expect(TEXT, b"still here")
    close(rig, client, server)


def test_S1_clients_that_reset_under_tls_do_not_end_the_gateway(gate, certificate):
    rig = gate(f"--tls-certificate={certificate}")
    session = rig.connect()
    for _ in range(20):
        client = dial(rig.dev.port, client_context(certificate))
        client.send_raw(b"GET / HTTP/1.1\r\n\r\n")
        client.reset()
    session.client.send(TEXT, b"still here")
    session.server.expect(TEXT, b"still here")


def test_S0_04_a_request_in_one_piece_with_the_end_of_the_tls_handshake(gate, certificate):
    rig = gate(f"--tls-certificate={certificate}")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(certificate).wrap_bio(incoming, outgoing, server_hostname="localhost")
    sock = socket.create_connection(("127.0.0.1", rig.dev.port))
    sock.settimeout(20)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(65536))
    tls.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    sock.sendall(outgoing.read())
    answer = b""
    while b"\r\n" not in answer:
        incoming.write(sock.recv(65536))
        try:
            answer += tls.read(65536)
        except ssl.SSLWantReadError:
            pass
    assert answer.startswith(b"HTTP/1.1 426 ")


def test_a_folder_without_a_certificate_is_told(programs, tmp_path):
    done = subprocess.run(
        [programs / "wsf-gateway", "--operator=127.0.0.1:1", f"--tls-certificate={tmp_path}"],
        capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert f"--tls-certificate: {tmp_path}/tls.crt" in done.stderr


def test_localhost_is_served_at_both_its_addresses(gate):
    """Node 18 asks for `localhost` at ::1 and nowhere else."""
    rig = gate()
    for address in ("127.0.0.1", "::1"):
        client = Peer(socket.create_connection((address, rig.dev.port)), masks=True)
        server, _ = establish(rig, client)
        close(rig, client, server)


# ---- Proxies ----

def test_S5_a_trusted_proxy_tells_who_the_client_is(gate):
    rig = gate("--trusted-proxies=127.0.0.0/8")
    client = dial(rig.dev.port)
    server, head = establish(rig, client, "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n"
                             "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n")
    assert field(head, "X-Forwarded-For") == "6.6.6.6, 192.0.2.7, 127.0.0.1"
    assert field(head, "X-Forwarded-Proto") == "https"
    assert field(head, "X-Forwarded-Host") == "shop.example"
    close(rig, client, server)


def test_the_proxy_protocol_tells_who_the_client_is_and_tls_may_follow(gate, certificate):
    rig = gate("--trusted-proxies=127.0.0.1", "--proxy-protocol",
               f"--tls-certificate={certificate}")
    v2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + socket.inet_aton("192.0.2.7") +
          socket.inet_aton("127.0.0.1") + b"\x12\x67\x00\x50")
    for header in (b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n", v2):
        for context in (None, client_context(certificate)):
            sock = socket.create_connection(("127.0.0.1", rig.dev.port))
            sock.settimeout(20)
            for byte in header[:-1]:  # one at a time: nothing of what follows may be lost
                sock.send(bytes([byte]))
            sock.send(header[-1:])
            if context is not None:
                sock = context.wrap_socket(sock, server_hostname="localhost")
            client = Peer(sock, masks=True)
            server, head = establish(rig, client)
            assert field(head, "X-Forwarded-For") == "192.0.2.7"
            close(rig, client, server)
    client = dial(rig.dev.port)
    client.send_raw(upgrade_request())
    check_refusal(client, 400, 0, "BadRequest")


def test_half_a_proxy_header_and_an_end_cost_nothing(gate):
    rig = gate("--trusted-proxies=127.0.0.1", "--proxy-protocol")
    pid = rig.dev.ready["gatewayPid"]
    half = [dial(rig.dev.port) for _ in range(5)]
    for client in half:
        client.send_raw(b"PROX")
        client.sock.shutdown(socket.SHUT_WR)

    def wanted_a_core() -> float:
        """Seconds in which it ran or waited for a core: on a busy machine a spinner waits."""
        ran, waited, _ = pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()
        return (int(ran) + int(waited)) / 1e9
    before = wanted_a_core()
    time.sleep(2)  # in which nothing is to happen
    assert wanted_a_core() - before < 1, "it spins"
    check_refusal(half[0], 408, 0, "BadRequest")


# ---- Caps and load ----

def test_H31_fault_42_more_connections_than_allowed_are_told_so(gate):
    rig = gate("--max-connections=2")
    held = [dial(rig.dev.port), dial(rig.dev.port)]
    check_refusal(dial(rig.dev.port), 503, 500, "InternalError")
    held[0].end()

    def has_room() -> bool:
        client = dial(rig.dev.port)
        client.send_raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return client.receive_head().startswith("HTTP/1.1 426 ")
    wait_for(has_room, "the place is given back")


def test_S1_more_connections_of_one_address_than_allowed_are_told_so(gate):
    rig = gate("--max-connections-per-address=1", "--proxy-protocol",
               "--trusted-proxies=127.0.0.1")

    def client_of(ip: str) -> Peer:
        client = dial(rig.dev.port)
        client.send_raw(b"PROXY TCP4 %s 127.0.0.1 1 2\r\n" % ip.encode() + upgrade_request())
        return client
    first = client_of("192.0.2.1")
    server = rig.master.receive()
    server.send_raw(switching_protocols(server.receive_head()))
    assert " 101 " in first.receive_head()
    check_refusal(client_of("192.0.2.1"), 503, 500, "InternalError")
    other = client_of("192.0.2.2")
    server = rig.master.receive()
    server.send_raw(switching_protocols(server.receive_head()))
    assert " 101 " in other.receive_head()


def test_S1_behind_a_trusted_proxy_the_clients_address_is_counted(gate):
    rig = gate("--max-connections-per-address=1", "--trusted-proxies=127.0.0.1")
    held = []  # else they are closed
    for ip in ("192.0.2.1", "192.0.2.2"):
        client = dial(rig.dev.port)
        held.append((client, establish(rig, client, f"X-Forwarded-For: {ip}\r\n")))
    client = dial(rig.dev.port)
    client.send_raw(upgrade_request(extra="X-Forwarded-For: 192.0.2.1\r\n"))
    check_refusal(client, 503, 500, "InternalError")


def test_H31_fault_44_a_gateway_short_of_memory_serves_who_is_there_and_nobody_new(gate):
    rig = gate("--memory-limit=1000000")
    client = dial(rig.dev.port)
    client.send_raw(upgrade_request())
    head, _ = check_refusal(client, 503, 500, "InternalError")
    assert int(field(head, "Retry-After")) > 0


def test_fault_34_a_head_that_does_not_come_is_not_waited_for(gate):
    rig = gate()
    client = dial(rig.dev.port)
    client.send_raw(b"GET / HTTP/1.1\r\nHost: loc")
    check_refusal(client, 408, 0, "BadRequest")


# ---- The end of a gateway ----

def is_ready(rig: DevRig) -> bool:
    return rig.dev.probe()


def test_P20_H31_a_stopping_gateway_refuses_the_new_and_tells_the_old(gate):
    rig = gate("--drain-seconds=2")
    session = rig.connect()
    os.kill(rig.dev.ready["gatewayPid"], signal.SIGTERM)
    wait_for(lambda: not is_ready(rig), "the gateway drains")
    client = dial(rig.dev.port)
    client.send_raw(upgrade_request())
    check_refusal(client, 503, 500, "InternalError")
    session.client.send(TEXT, b"I may go on for a while")
    session.server.expect(TEXT, b"I may go on for a while")
    session.client.expect_close(1012, "500 gateway shutdown")
    session.server.expect_close(1001, "500 gateway shutdown")
    record = session.record()
    assert (record["statusCode"], record["reason"]) == (500, "GatewayShutdown")


def test_P20_H33_a_leaving_gateway_serves_whom_load_balancers_still_send(gate):
    """kube-proxy and a cloud's balancer hear of its leaving some seconds late."""
    rig = gate("--lame-duck-seconds=300", "--drain-seconds=300")
    old = rig.connect()
    os.kill(rig.dev.ready["gatewayPid"], signal.SIGTERM)
    wait_for(lambda: not is_ready(rig), "the gateway leaves")
    late = rig.connect()
    late.client.send(TEXT, b"served as ever")
    late.server.expect(TEXT, b"served as ever")
    os.kill(rig.dev.ready["gatewayPid"], signal.SIGTERM)
    for session in (old, late):
        session.client.expect_close(1012, "500 gateway shutdown")


# ---- Origins ----

ALLOWED = ["https://app.localhost", "http://localhost:3000"]
FOREIGN = ["null", "https://APP.localhost", "https://app.localhost:444", "http://app.localhost",
           "https://evil-app.localhost", "https://app.localhost.", "http://localhost:3001",
           "http://xn--lclhost-r8a.localhost", "https://app.localhost/"]


@pytest.fixture(scope="module")
def listed(tmp_path_factory, programs):
    rig = DevRig(tmp_path_factory.mktemp("origins"), programs,
                 ["--set", 'allowedOrigins=["https://app.localhost","http://localhost:3000"]'])
    yield rig
    rig.close()


@pytest.mark.parametrize("origin", ALLOWED)
def test_S3_23_an_allowed_origin_reaches_the_server(listed, origin):
    session = listed.connect(f"Origin: {origin}\r\n")
    assert field(session.request_head, "Origin") == origin


@pytest.mark.parametrize("origin", FOREIGN)
def test_H28_S3_23_any_other_origin_is_refused(listed, origin):
    check_refusal(listed.dev.request(extra=f"Origin: {origin}\r\n"), 403, 0, "OriginNotAllowed")


def test_H28_two_origins_are_refused_and_none_is_no_page(listed):
    two = f"Origin: {ALLOWED[0]}\r\nOrigin: {ALLOWED[1]}\r\n"
    check_refusal(listed.dev.request(extra=two), 403, 0, "OriginNotAllowed")
    listed.connect()
