# SPDX-License-Identifier: Apache-2.0
"""The life of a function: how it is made, addressed, changed, shared and paced."""
import asyncio
import datetime
import os
import pathlib
import signal

import pytest
import websockets

from dev_rig import Dev, DevRig, wait_for
from kube_access import FUNCTIONS, MERGE, KubeAccess
from peers import TEXT, field, switching_protocols
from refusals import check_refusal

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test

PYTHON = "/usr/bin/python3"
ECHO = ("import asyncio, os, sys, time, websockets\n"
        "time.sleep(float(os.environ.get('SLOW', '0')))\n"
        "async def serve(ws, *_):\n"
        "    async for message in ws: await ws.send(os.environ.get('SAYS', '') + message)\n"
        "async def main():\n"
        "    async with websockets.serve(serve, '0.0.0.0', 9000): await asyncio.Future()\n"
        "asyncio.run(main())\n")
COMMAND = [PYTHON, "-c", ECHO]


def exchange(url: str, text: str = "hello") -> str:
    """Opens `url` with an ordinary client, says `text`, returns the answer."""
    async def run() -> str:
        async with websockets.connect(url, open_timeout=30) as socket:
            await socket.send(text)
            return await socket.recv()
    return asyncio.run(run())


@pytest.fixture
def echo(tmp_path, programs):
    """`wsf dev` with an echo server of Python's; its API as `dev.api`."""
    started = []

    def start(*settings: str, flags: tuple[str, ...] = ()) -> Dev:
        every = [part for each in settings for part in ("--set", each)] + list(flags)
        dev = Dev(tmp_path / str(len(started)), programs, COMMAND, every)
        dev.api = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), dev.folder)
        started.append(dev)
        return dev
    yield start
    for dev in started:
        dev.close()


def url_of(dev: Dev, name: str = "dev") -> str:
    return wait_for(lambda: dev.api.get(f"{FUNCTIONS}/{name}").get("status", {}).get("url"),
                    "the function has a URL")


# ---- Made and addressed ----

def test_S0_03_S0_13_S3_24_the_client_is_held_until_the_server_listens(echo):
    dev = echo('env=[{"name": "SLOW", "value": "1"}]')
    assert exchange(dev.url) == "hello"
    assert wait_for(dev.records, "the record")[0]["initMs"] >= 1000


def test_S0_05_S3_06_the_url_of_the_status_works_as_it_is_and_never_changes(echo):
    dev = echo()
    url = url_of(dev)
    assert exchange(url) == "hello"
    dev.api.call("PATCH", f"{FUNCTIONS}/dev", {"spec": {"env": [{"name": "SAYS", "value": "2"}]}},
                 MERGE)
    wait_for(lambda: exchange(url) == "2hello", "the new revision answers at the same address")
    for part in ("operatorPid", "gatewayPid"):
        os.kill(dev.ready[part], signal.SIGKILL)

        def answers() -> bool:
            try:
                return exchange(url) == "2hello"
            except (OSError, websockets.WebSocketException):
                return False
        wait_for(answers, f"it answers again behind a killed {part}")
    for most, answer in ((0, None), (5, "2hello")):  # scaled to nothing and back
        dev.api.call("PATCH", f"{FUNCTIONS}/dev", {"spec": {"maxInstances": most}}, MERGE)

        def as_expected() -> bool:
            try:
                return exchange(url) == answer
            except websockets.InvalidStatusCode:
                return answer is None
        wait_for(as_expected, f"maxInstances {most} holds")
    assert url_of(dev) == url


def test_S0_24_S0_25_S3_01_a_function_needs_a_name_and_what_runs(echo):
    dev = echo()
    made, _ = dev.api.call("POST", FUNCTIONS, {
        "apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
        "metadata": {"name": "small"}, "spec": {"command": COMMAND}})
    assert made == 201
    assert exchange(url_of(dev, "small")) == "hello"
    made, body = dev.api.call("POST", FUNCTIONS, {
        "apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
        "metadata": {"name": "other"}, "spec": {"command": COMMAND, "protocol": "HTTP"}})
    assert made == 422 and "spec.protocol must be WS" in body["message"]


def test_S3_04_H12_the_port_is_the_functions_to_say(tmp_path, programs):
    listens = ECHO.replace("9000", "int(os.environ['LISTEN'])")
    for port, said in (("9105", None), ("9106", 446)):
        dev = Dev(tmp_path / port, programs, [PYTHON, "-c", listens],
                  ["--set", "port=9105", "--set", "initTimeoutSeconds=3"], {"LISTEN": port})
        try:
            if said is None:
                assert exchange(dev.url) == "hello"
            else:
                _, message = check_refusal(dev.request(), 504, said, "PortBindingFailed")
                assert "9105" in message
        finally:
            dev.close()


# ---- One end ----

ENDS = {
    200: lambda session: session.client.send_close(1000),
    456: lambda session: session.client.end(),
    439: lambda session: session.server.kill(),
    455: lambda session: None,
}


@pytest.mark.parametrize("code", ENDS)
def test_S0_21_the_invocation_ends_together_with_its_connection(rig, code):
    session = rig.connect(settings={"idleTimeoutSeconds": 1, "closeTimeoutSeconds": 1})
    ENDS[code](session)
    record = session.record()
    assert record["statusCode"] == code

    def seconds(name: str) -> float:
        return datetime.datetime.fromisoformat(record[name].replace("Z", "+00:00")).timestamp()
    assert abs(seconds("ended") - seconds("requestStart") - record["durationMs"] / 1000) < 0.1
    assert record["billedMs"] <= record["durationMs"]
    assert seconds("ended") - seconds("established") >= record["billedMs"] / 1000 - 0.1


# ---- Shared ----

def open_session(rig: DevRig):
    session = rig.connect()
    return session, session.server.pid


def test_A27_S3_20_sessions_share_an_instance_and_overlapping_time_is_billed_once(
        tmp_path, programs):
    rig = DevRig(tmp_path, programs, ["--set", "instanceConcurrency=2"])
    try:
        first, first_pid = open_session(rig)
        second, second_pid = open_session(rig)
        third, third_pid = open_session(rig)
        assert first_pid == second_pid != third_pid
        second.client.send(TEXT, b"both")
        second.server.expect(TEXT, b"both")
        for session, code in ((first, 1000), (second, 4000), (third, 1000)):
            session.client.send_close(code)
            session.server.expect_close(code)
            session.server.send_close(code)
        records = [session.record() for session in (first, second, third)]
        assert [r["statusCode"] for r in records] == [200, 456, 200]
        assert records[0]["podUid"] == records[1]["podUid"] != records[2]["podUid"]
        api = KubeAccess(pathlib.Path(rig.dev.ready["kubeconfig"]), tmp_path)

        def counted():
            status = api.get(f"{FUNCTIONS}/dev").get("status", {})
            sessions = status.get("sessions", {})
            return sessions if sessions.get("total") == 3 and not status.get("uncounted") else None
        sessions = wait_for(counted, "three sessions are counted")
        assert sessions["byCode"] == {"200": 2, "456": 1}
        billed = [r["billedMs"] for r in records]
        assert sessions["billedMilliseconds"] < sum(billed)
        assert sessions["billedMilliseconds"] >= max(billed[:2]) + billed[2] - 2
    finally:
        rig.close()


def test_A27_a_server_that_exits_ends_all_its_sessions(tmp_path, programs):
    rig = DevRig(tmp_path, programs, ["--set", "instanceConcurrency=3"])
    try:
        sessions = [open_session(rig)[0] for _ in range(3)]
        sessions[0].server.kill()
        for session in sessions[1:]:  # this process holds them too
            session.server.sock.close()
        records = [session.record() for session in sessions]
        assert {(r["statusCode"], r["reason"]) for r in records} == {(439, "UserProcessExited")}
        assert len({r["podUid"] for r in records}) == 1
    finally:
        rig.close()


# ---- Paced and replaced ----

def test_H06_more_starts_than_a_minute_allows_are_refused(tmp_path, programs):
    rig = DevRig(tmp_path, programs, ["--operator-flag=--scale-out-per-minute=2"])
    try:
        clients = [rig.dev.request() for _ in range(5)]
        for _ in range(2):
            server = rig.master.receive()
            server.send_raw(switching_protocols(server.receive_head()))
        heads = sorted(client.receive_head().split()[1] for client in clients)
        assert heads == ["101", "101", "429", "429", "429"]
        head, message = check_refusal(rig.dev.request(), 429, 429, "ResourceLimit")
        assert 0 < int(field(head, "Retry-After")) <= 60
        assert "within a minute" in message
    finally:
        rig.close()


def test_P23_a_changed_function_retires_its_old_sessions_in_time(tmp_path, programs):
    rig = DevRig(tmp_path, programs, ["--set", "rollout.liveSessionSeconds=1"])
    try:
        session = rig.connect()
        api = KubeAccess(pathlib.Path(rig.dev.ready["kubeconfig"]), tmp_path)
        api.call("PATCH", f"{FUNCTIONS}/dev", {"spec": {"workingDir": "/tmp"}}, MERGE)
        session.client.expect_close(1001, "499 revision retired")
        record = session.record()
        assert (record["statusCode"], record["reason"]) == (499, "RevisionRetired")
    finally:
        rig.close()


READY = ("import http.server, os, time\n"
         "class Slow(http.server.BaseHTTPRequestHandler):\n"
         "    def do_GET(self):\n"
         "        print('asked', self.path, flush=True)\n"
         "        ready = os.path.exists(os.environ['READY'])\n"
         "        self.send_response(200 if ready and self.path == '/ready' else 503)\n"
         "        self.end_headers()\n"
         "http.server.ThreadingHTTPServer(('0.0.0.0', 9000), Slow).serve_forever()\n")


def test_a_ready_path_is_asked_before_the_instance_is_free(tmp_path, programs):
    ready = tmp_path / "ready-now"
    dev = Dev(tmp_path / "dev", programs, [PYTHON, "-c", READY],
              ["--set", "readyPath=/ready"], {"READY": str(ready)})
    try:
        client = dev.request()
        wait_for(lambda: "asked /ready" in dev.output(), "the path is asked")
        assert "asked /\n" not in dev.output()
        ready.touch()
        # It is no WebSocket server: its own answer shows that the request has reached it (H18).
        assert client.receive_head().startswith("HTTP/1.1 503 ")
        assert wait_for(dev.records, "the record")[0]["statusCode"] == 443
    finally:
        dev.close()
