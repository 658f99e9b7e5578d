# SPDX-License-Identifier: Apache-2.0
"""Something stands still: who reads what we print, or the server of a folder. Sessions go on."""
import json
import os
import signal

import pytest

from rig import FaultRig, wait_for

from dev_rig import Dev
from kube_access import MERGE, PODS
from peers import TEXT
from refusals import check_refusal
from test_hostile_clients import echoes
from test_report_faults import Strace

# Of lines that nobody reads: more than a pipe takes, and more than is kept for it.
FLOOD = """
import asyncio, websockets
async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)
async def main():
    for _ in range(2000):
        print("x" * 999, flush=True)
    async with websockets.serve(echo, "0.0.0.0", 9000):
        await asyncio.Future()
asyncio.run(main())
"""


@pytest.fixture
def rig(tmp_path, programs):
    rig = FaultRig(tmp_path, programs, through_proxy=False)
    yield rig
    rig.close()


def exchange(client, text: bytes) -> None:
    client.send(TEXT, text)
    client.expect(TEXT, text)


def test_D19_house_M2_U10_a_terminal_that_is_stopped(tmp_path, programs):
    """As Ctrl-S does, or a pager. What it has missed it is told once it goes on."""
    folder = tmp_path / "dev"
    folder.mkdir()
    os.mkfifo(folder / "output")
    terminal = os.open(folder / "output", os.O_RDWR | os.O_NONBLOCK)
    dev = Dev(folder, programs, ["/usr/bin/python3", "-c", FLOOD])
    try:
        clients = [dev.request() for _ in range(3)]
        for client in clients:
            assert " 101 " in client.receive_head()
            exchange(client, b"one")
        clients[0].end()
        wait_for(dev.records, "its record")
        exchange(clients[1], b"two")

        text = b""

        def told() -> bool:
            nonlocal text
            try:
                text += os.read(terminal, 1 << 20)
            except BlockingIOError:
                pass
            return b" lines are missing here" in text
        wait_for(told, "what it has missed")
        assert text.count(b"x" * 999) > 256, "what was kept for it"
        exchange(clients[2], b"three")
    finally:
        dev.close()
        os.close(terminal)


def test_D19_house_M2_who_reads_the_gateways_log_is_stopped(rig):
    """The supervisor, which a debugger or a full disk behind it may hold up."""
    live, _ = rig.open()
    supervisor = rig.pids("wsf")[0]
    os.kill(supervisor, signal.SIGSTOP)
    try:
        for _ in range(1000):  # a line of 200 bytes each, and a pipe takes 64 KiB
            client = rig.dev.dial()
            client.send_raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.receive_all().startswith(b"HTTP/1.1 426 ")
            client.end()
        assert echoes(live)
    finally:
        os.kill(supervisor, signal.SIGCONT)
    client, _ = rig.open()
    assert echoes(client) and echoes(live)


@pytest.mark.long(15)
@pytest.mark.timeout(300)
def test_house_M17_a_watch_that_nobody_reads_is_cut(rig):
    """As of a `kubectl get -w` that was stopped. It is told nothing false: it has to list again."""
    pod = {"metadata": {"name": "still"}, "spec": {"containers": [{"name": "it", "image": "a"}]}}
    assert rig.access().call("POST", PODS, pod)[0] == 201  # nobody runs it
    watch = rig.access().connect(60)
    watch.request("GET", PODS + "?watch=1")
    lines = watch.getresponse()
    writer = rig.access().connect(60)
    for number in range(6000):  # more than is kept and all that the kernel takes
        body = {"metadata": {"annotations": {"a": str(number) + "x" * 8000}}}
        writer.request("PATCH", PODS + "/still", json.dumps(body), {"Content-Type": MERGE})
        answer = writer.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    told = 0
    while lines.readline():
        told += 1
    assert told < 6000
    client, _ = rig.open()
    assert echoes(client)


@pytest.mark.long(12)
def test_D40_a_folder_whose_server_is_away(rig):
    """The start that hangs in it is given up; nobody else waits for it."""
    live, _ = rig.open()
    strace = Strace(rig.pids("wsf")[0], "chdir:delay_enter=60000000")
    try:
        client = rig.dev.request("/echo")
        wait_for(lambda: len(rig.pods()) > 1, "an instance is being started, and the API answers")
        assert echoes(live)
        check_refusal(client, 502, 445, "ContainerInitError")
        wait_for(lambda: "does not start" in rig.dev.output(), "the console says why")
        assert rig.dev.probe()
    finally:
        strace.close()
    client, _ = rig.open()
    assert echoes(client) and echoes(live)
