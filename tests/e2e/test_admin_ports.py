# SPDX-License-Identifier: Apache-2.0
"""The ports for people, monitoring and probes: who reaches them, and what for."""
import pathlib
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request

import pytest

from dev_rig import Dev, wait_for
from kube_access import KubeAccess
from peers import TEXT, field

TOKEN = "/api/v1/namespaces/wsf-system/serviceaccounts/wsf-people/token"
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(
    context=ssl._create_unverified_context()))


@pytest.fixture(scope="module")
def dev(tmp_path_factory, programs):
    dev = Dev(tmp_path_factory.mktemp("admin"), programs, [str(programs / "wsf-test-server")],
              ["--set", "warmInstances=1"])
    yield dev
    dev.close()


def host_of(dev: Dev) -> str:
    return urllib.parse.urlsplit(dev.ready["adminUrl"]).hostname


def ask(url: str, method: str = "GET", **headers) -> tuple[int, str]:
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with OPEN.open(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def people(dev, tmp_path) -> str:
    """A token as `wsf sessions` makes it."""
    status, body = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), tmp_path).call("POST", TOKEN, {})
    assert status == 201
    return body["status"]["token"]


@pytest.fixture
def session(dev):
    client = dev.request("/echo")
    request_id = field(client.receive_head(), "X-Wsf-Request-Id")
    yield client, request_id
    client.reset()


def pods_own(dev: Dev) -> str:
    path = wait_for(lambda: next(pathlib.Path(dev.folder, "data", "pods").glob("*/token"), None), "a pod's token")
    return path.read_text()


@pytest.mark.parametrize("path", ["/metrics", "/sessions", "/sessions?namespace=default", "end"])
@pytest.mark.parametrize("who", ["nobody", "garbage", "another scheme", "a pod"])
def test_K30_S22_without_a_token_of_ours_nothing_is_told_and_nobody_ended(dev, session, path, who):
    client, request_id = session
    given = {"nobody": {}, "garbage": {"Authorization": "Bearer e30.e30.x"},
             "another scheme": {"Authorization": "Basic d3NmOndzZg=="},
             "a pod": {"Authorization": f"Bearer {pods_own(dev)}"}}[who]
    method = "POST" if path == "end" else "GET"
    path = f"/sessions/{request_id}/end" if path == "end" else path
    status, body = ask(f"https://{host_of(dev)}:9445{path}", method, **given)
    assert status == (403 if who == "a pod" else 401), body
    assert request_id not in body
    client.send(TEXT, b"x")
    client.expect(TEXT, b"x")


@pytest.mark.parametrize("name", ["Authorization", "X-Wsf-Token"])
def test_K30_U14_with_one_sessions_are_seen_and_ended(dev, session, people, name):
    client, request_id = session
    bears = {name: f"Bearer {people}" if name == "Authorization" else people}
    at = f"https://{host_of(dev)}:9445"
    wait_for(lambda: request_id in ask(f"{at}/sessions?namespace=default&function=dev", **bears)[1],
             "the session is told of")
    assert "wsf_instances{" in ask(f"{at}/metrics", **bears)[1]
    assert ask(f"{at}/sessions/00000000-0000-7000-8000-000000000000/end", "POST", **bears)[0] == 404
    assert ask(f"{at}/sessions/{request_id}/end", "POST", **bears) == (204, "")
    assert dev.record(request_id)["statusCode"] == 499


def test_U14_S22_a_page_of_the_web_may_not_ask(dev, people):
    at, bears = host_of(dev), {"Authorization": f"Bearer {people}"}
    assert ask(f"https://{at}:9445/sessions", Origin="http://evil.example", **bears)[0] == 403
    assert ask(f"http://{at}:8081/metrics", Host="evil.example")[0] == 403  # a name that was rebound
    assert ask(f"http://{at}:8081/metrics", Origin="http://evil.example")[0] == 403


def test_K30_D57_a_port_for_probes_serves_nothing_else(dev):
    for port, pages in ((8081, {"/metrics"}), (8082, {"/healthz", "/readyz"}), (8083, {"/healthz", "/readyz"})):
        for path in ("/metrics", "/healthz", "/readyz", "/sessions", "/"):
            status, _ = ask(f"http://{host_of(dev)}:{port}{path}")
            assert status == (200 if path in pages else 404), (port, path)


@pytest.mark.parametrize("port", [8081, 8082, 8083, 9445])
def test_D57_fault_42_silent_connections_keep_nobody_else_out(dev, session, people, port):
    """More than any of the ports has places for, of one source."""
    client, _ = session
    silent = [socket.create_connection((host_of(dev), port)) for _ in range(200)]
    try:
        client.send(TEXT, b"x")
        client.expect(TEXT, b"x")
        others = {8081: "/metrics", 8082: "/readyz", 8083: "/readyz"}
        for other, path in others.items():
            if other != port:
                assert ask(f"http://{host_of(dev)}:{other}{path}")[0] == 200
        assert dev.request("/echo").receive_head().startswith("HTTP/1.1 101 ")
    finally:
        for each in silent:
            each.close()
    bears = {"Authorization": f"Bearer {people}"}
    wait_for(lambda: ask(f"https://{host_of(dev)}:9445/sessions", **bears)[0] == 200, "people are served again")


@pytest.mark.parametrize("host", ["127.0.0.1.evil.example", "127.evil.example", "localhost.evil.example", "evil.example"])
def test_U10_S22_the_embedded_api_is_no_other_names(dev, tmp_path, host):
    connection = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), tmp_path).connect()
    connection.request("GET", "/version", headers={"Host": host})
    assert connection.getresponse().status == 403
    connection.close()


# Section 6 of the specification: dashboards and alerts stand on these names. Of the gateway, then of the
# operator: each with its type and with the labels of one of its lines.
GATEWAYS = {"wsf_start_seconds": ("histogram", {"kind", "le"}),
            "wsf_handshakes_refused_total": ("counter", {"reason"})}
OPERATORS = {"wsf_sessions_live": ("gauge", {"namespace", "function"}),
             "wsf_sessions_total": ("counter", {"namespace", "function", "code"}),
             "wsf_session_duration_seconds": ("histogram", {"namespace", "function", "le"}),
             "wsf_billed_seconds_total": ("counter", {"namespace", "function"}),
             "wsf_instances": ("gauge", {"state"}),
             "wsf_handshakes_waiting": ("gauge", set()),
             "wsf_relay_bytes_total": ("counter", {"direction"}),
             "wsf_relay_messages_total": ("counter", {"direction"}),
             "wsf_reconcile_seconds": ("histogram", {"le"}),
             "wsf_api_requests_total": ("counter", {"verb", "resource", "code"}),
             "wsf_workqueue_depth": ("gauge", set()),
             "wsf_leader": ("gauge", set())}


def families(text: str) -> dict[str, tuple[str, set[str]]]:
    """Of the Prometheus text format: type and label names of each family."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    labels: dict[str, set[str]] = {name: set() for name in types}
    for name, held in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        family = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
        labels[family] |= set(re.findall(r'(\w+)="', held))
    return {name: (kind, labels[name]) for name, kind in types.items()}


def test_section_6_every_metric_that_is_promised_is_there_after_a_session(dev, people):
    at, bears = host_of(dev), {"Authorization": f"Bearer {people}"}
    client = dev.request("/echo")
    request_id = field(client.receive_head(), "X-Wsf-Request-Id")
    client.send(TEXT, b"x")
    client.expect(TEXT, b"x")
    client.send_close(1000)
    client.expect_close(1000)
    assert dev.record(request_id)["statusCode"] == 200
    assert " 403 " in dev.request("/echo", "Origin: http://evil.example\r\n").receive_head()
    gateway = families(ask(f"http://{at}:8081/metrics")[1])
    assert {name: gateway.get(name) for name in GATEWAYS} == GATEWAYS
    operator = families(ask(f"https://{at}:9445/metrics", **bears)[1])
    assert {name: operator.get(name) for name in OPERATORS} == OPERATORS
