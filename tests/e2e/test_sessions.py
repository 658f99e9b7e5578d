# SPDX-License-Identifier: Apache-2.0
"""U14: `wsf sessions`, `wsf end`, `wsf logs`."""
import json
import os
import signal
import subprocess
import time

import pytest

from dev_rig import Dev, wait_for
from peers import CLOSE, TEXT, close_body, field

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test

SHOUTS = ("import socket, sys\n"
          "print('listening', flush=True)\n"
          "import asyncio, websockets\n"
          "async def serve(ws, *_):\n"
          "    print('a client came', flush=True)\n"
          "    async for message in ws:\n"
          "        print('got', message, flush=True)\n"
          "        await ws.send(message)\n"
          "async def main():\n"
          "    async with websockets.serve(serve, '0.0.0.0', 9000):\n"
          "        await asyncio.Future()\n"
          "asyncio.run(main())\n")


@pytest.fixture(scope="module")
def dev(tmp_path_factory, programs):
    dev = Dev(tmp_path_factory.mktemp("sessions"), programs, ["/usr/bin/python3", "-c", SHOUTS])
    yield dev
    dev.close()


@pytest.fixture
def wsf_program(dev, programs):
    def run(*arguments: str, kubeconfig: str | None = dev.ready["kubeconfig"]):
        env = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
        if kubeconfig is not None:
            env["KUBECONFIG"] = kubeconfig
        return subprocess.run([programs / "wsf", *arguments], env=env, capture_output=True,
                              text=True, timeout=60)
    return run


def connect(dev):
    client = dev.request()
    head = client.receive_head()
    assert head.startswith("HTTP/1.1 101 "), head
    client.send(TEXT, b"hello")
    client.expect(TEXT, b"hello")
    return client, field(head, "X-Wsf-Request-Id")


def listed(wsf_program, *arguments: str) -> dict[str, dict]:
    answer = wsf_program("sessions", "-o", "json", *arguments)
    assert answer.returncode == 0, answer.stderr
    return {each["requestId"]: each for each in map(json.loads, answer.stdout.splitlines())}


def test_U14_live_and_ended_sessions_are_listed(dev, wsf_program):
    client, request_id = connect(dev)
    live = listed(wsf_program)[request_id]
    assert (live["statusCode"], live["client"]) == (202, "127.0.0.1")
    assert (live["function"], live["namespace"]) == ("dev", "default")
    table = wsf_program("sessions").stdout
    assert table.split("\n")[0].split() == ["SESSION", "START", "TIME", "CODE", "REASON", "CLOSED",
                                            "BY", "INSTANCE"]
    assert request_id in table and live["instance"] in table
    client.send(CLOSE, close_body(1000))
    client.expect_close(1000)
    client.end()
    dev.record(request_id)
    ended = wait_for(lambda: (lambda s: s if s["statusCode"] == 200 else None)(
        listed(wsf_program)[request_id]), "it is listed as ended")
    assert ended == dev.record(request_id)
    assert request_id not in listed(wsf_program, "another-function")
    assert request_id not in listed(wsf_program, "-n", "elsewhere")
    assert request_id in listed(wsf_program, "dev")


def test_U14_watch_goes_on(dev, programs):
    process = subprocess.Popen(
        [programs / "wsf", "sessions", "-w", "-o", "json", "--kubeconfig", dev.ready["kubeconfig"]],
        stdout=subprocess.PIPE, text=True)
    try:
        client, request_id = connect(dev)
        until = time.monotonic() + 20
        codes = []
        while codes[-1:] != [456]:
            assert time.monotonic() < until
            line = json.loads(process.stdout.readline())
            if line["requestId"] == request_id:
                codes.append(line["statusCode"])
                if codes == [202]:
                    client.end()
        assert codes == [202, 456]
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def test_U14_P15_end_ends_one_session_by_the_end_of_its_id(dev, wsf_program):
    client, request_id = connect(dev)
    other, _ = connect(dev)
    answer = wsf_program("end", request_id[-8:])
    assert answer.returncode == 0, answer.stderr
    client.expect_close(1001, "499 function stopped")
    client.end()
    assert dev.record(request_id)["statusCode"] == 499
    other.send(TEXT, b"undisturbed")
    other.expect(TEXT, b"undisturbed")
    other.end()
    again = wsf_program("end", request_id)
    assert (again.returncode, again.stdout) == (2, "")
    assert "has ended already" in again.stderr


def test_U14_logs_show_what_the_server_wrote_during_and_after_its_session(dev, wsf_program):
    client, request_id = connect(dev)
    during = wsf_program("logs", request_id[-8:])
    assert during.stdout == "listening\na client came\ngot hello\n", during.stderr
    client.end()
    dev.record(request_id)
    # Also what it wrote at its end; the pod has gone, and its log is kept for a while.
    wait_for(lambda: wsf_program("logs", request_id).stdout.startswith(
        during.stdout), "the log is kept")


@pytest.mark.parametrize("arguments, says", [
    (["end", "nonsense"], "no session nonsense"),
    (["logs", "nonsense"], "no session nonsense"),
    (["end"], "session is required"),
    (["sessions", "-o", "yaml"], "yaml"),
    (["sessions", "--kubeconfig", "/nowhere"], "cannot read /nowhere"),
])
def test_U14_U16_bad_input(wsf_program, arguments, says):
    answer = wsf_program(*arguments)
    assert answer.returncode == 2
    assert says in answer.stderr


def test_U14_U16_a_stopped_one_is_told(tmp_path, programs, wsf_program):
    stopped = Dev(tmp_path, programs, ["true"])
    stopped.close()
    answer = wsf_program("sessions", kubeconfig=stopped.ready["kubeconfig"])
    assert answer.returncode == 2
    assert "does not answer" in answer.stderr


def test_U14_without_a_flag_the_running_one_is_asked(tmp_path, programs):
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    dev = Dev(tmp_path / "dev", programs, ["true"], env=env)
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.endswith("SAN_OPTIONS")}
    bare = {"HOME": str(tmp_path), **kept, **env}
    try:
        answer = subprocess.run([programs / "wsf", "sessions"], env=bare, capture_output=True,
                                text=True, timeout=60)
        assert (answer.returncode, answer.stderr) == (0, "")
    finally:
        dev.close()
    assert not (tmp_path / "wsf").exists(), "nothing is left behind"
    answer = subprocess.run([programs / "wsf", "sessions"], env=bare, capture_output=True, text=True,
                            timeout=60)
    assert answer.returncode == 2
    assert "--kubeconfig" in answer.stderr


def test_U14_of_two_the_newest_that_still_runs_is_asked(tmp_path, programs):
    env = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    env["XDG_RUNTIME_DIR"] = str(tmp_path)

    def said() -> str:
        done = subprocess.run([programs / "wsf", "sessions"], env=env, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout
    command = ["/usr/bin/python3", "-c", SHOUTS]
    first = Dev(tmp_path / "1", programs, command, env={"XDG_RUNTIME_DIR": str(tmp_path)})
    try:
        client, request_id = connect(first)
        second = Dev(tmp_path / "2", programs, command, env={"XDG_RUNTIME_DIR": str(tmp_path)})
        try:
            assert request_id not in said()
        finally:
            second.close()
        assert request_id in said()
        client.end()
    finally:
        first.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
                         ids=["INT", "TERM", "HUP"])
def test_I4_U10_who_ends_wsf_dev_has_the_records_of_its_live_sessions(tmp_path, programs, number):
    dev = Dev(tmp_path, programs, [str(programs / "wsf-test-server")])
    try:
        clients = [dev.request("/echo") for _ in range(3)]
        ids = {field(client.receive_head(), "X-Wsf-Request-Id") for client in clients}
        dev.process.send_signal(number)
        assert dev.process.wait(30) is not None
        records = dev.records()
        assert {record["requestId"] for record in records} == ids
        assert {record["statusCode"] for record in records} == {499}
        assert sum("499" in line for line in dev.output().splitlines()) >= 3, "the console too"
    finally:
        dev.close()


def test_P12_U14_who_was_slowed_down_is_told(tmp_path, programs):
    dev = Dev(tmp_path, programs, [str(programs / "wsf-test-server")],
              ["--set", "limits.requestsPerSecond=1"])
    try:
        client = dev.request("/echo")
        request_id = field(client.receive_head(), "X-Wsf-Request-Id")
        for _ in range(3):
            client.send(TEXT, b"x")
        for _ in range(3):
            client.expect(TEXT, b"x")
        client.send(CLOSE, close_body(1000))
        client.expect_close(1000)
        assert dev.record(request_id)["throttledMs"] >= 1000
        table = subprocess.run([programs / "wsf", "sessions", "--kubeconfig", dev.ready["kubeconfig"]],
                               capture_output=True, text=True, check=True).stdout
        assert "Closed, throttled " in table
    finally:
        dev.close()


def test_U10_nohup_keeps_wsf_dev_alive(tmp_path, programs):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # its children inherit that
    try:
        dev = Dev(tmp_path, programs, [str(programs / "wsf-test-server")])
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        client = dev.request("/echo")
        client.receive_head()
        dev.process.send_signal(signal.SIGHUP)
        client.send(TEXT, b"x")
        client.expect(TEXT, b"x")
        assert dev.process.poll() is None
        client.reset()
    finally:
        dev.close()


def test_I4_U10_a_second_interrupt_loses_no_record(tmp_path, programs):
    """The server ignores its end; whoever presses again does not want to wait for it."""
    script = tmp_path / "stubborn.sh"
    script.write_text("#!/bin/sh\ntrap '' TERM\nexec \"$1\"\n")
    dev = Dev(tmp_path / "dev", programs, ["sh", str(script), str(programs / "wsf-test-server")])
    try:
        client = dev.request("/echo")
        request_id = field(client.receive_head(), "X-Wsf-Request-Id")
        dev.process.send_signal(signal.SIGINT)
        client.expect_close(1001, "499 function stopped")
        time.sleep(0.6)  # a person's pause
        dev.process.send_signal(signal.SIGINT)
        assert dev.process.wait(30) is not None
        assert [record["requestId"] for record in dev.records()] == [request_id]
    finally:
        dev.close()
