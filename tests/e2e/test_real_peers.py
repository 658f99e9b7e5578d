# SPDX-License-Identifier: Apache-2.0
"""Real clients and servers of the field, unmodified, under `wsf dev`."""
import asyncio
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest
import websockets

from dev_rig import Dev, need_kubectl, wait_for

ROOT = pathlib.Path(__file__).parent.parent.parent
PYTHON = "/usr/bin/python3"
NODE = shutil.which("node") or "node"
WS_MODULE = ROOT / "examples" / "echo-node" / "node_modules"

# The program that the Alibaba page prints, word for word (seed 003).
SEED_003 = """const WebSocket = require('ws'); const WebSocketServer = WebSocket.Server; const wss = new \
WebSocketServer({ host: "0.0.0.0", port: 9000, }); wss.on('connection', function (ws, req) { \
console.log(`[SERVER] connection()`); ws.on('message', function (message) { ws.send(`${message}`, \
(err) => { if (err) { console.log(`[SERVER] error: ${err}`); } }); }) });"""

# The calls of the Python demo (behaviour.md 4.4), in our own words.
PUSHING = """
import asyncio, websockets
async def push(ws):
    n = 0
    while True:
        n += 1
        await ws.send(f"push {n}")
        await asyncio.sleep(0.2)
async def receive(ws):
    async for message in ws:
        await ws.send("server return:" + message)
async def handler(ws, path):
    tasks = [asyncio.create_task(push(ws)), asyncio.create_task(receive(ws))]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
async def main():
    async with websockets.serve(handler, "0.0.0.0", 9000):
        await asyncio.Future()
asyncio.run(main())
"""

# Echoes; HOST and THREAD say how it binds.
ECHO = """
import asyncio, os, threading, websockets
async def echo(ws):
    async for message in ws:
        await ws.send(message)
async def main():
    host = {host}
    async with websockets.serve(echo, host, 9000, subprotocols=["chat"]):
        await asyncio.Future()
{start}
"""
PLAIN_START = "asyncio.run(main())"
THREAD_START = "t = threading.Thread(target=lambda: asyncio.run(main())); t.start(); t.join()"


@pytest.fixture
def run(tmp_path, programs):
    """Starts `wsf dev` with a command and ends it with the test."""
    started = []

    def start(command, *flags, **options):
        dev = Dev(tmp_path / f"dev{len(started)}", programs, command, list(flags), **options)
        started.append(dev)
        return dev
    yield start
    for dev in started:
        dev.close()


def python_server(tmp_path, text):
    path = tmp_path / "server.py"
    path.write_text(text)
    return [PYTHON, "-u", str(path)]


async def exchange(url, **options):
    """Text, binary, ping, fragments, a large message; returns the connection's facts."""
    async with websockets.connect(url, **options) as ws:
        for message in ("text é", b"binary \x00\xff", "x" * 200_000, ""):
            await ws.send(message)
            assert await ws.recv() == message
        await ws.send(["frag", "men", "ted"])
        assert await ws.recv() == "fragmented"
        await asyncio.wait_for(await ws.ping(b"are you there"), 20)
        return ws.subprotocol, [type(e).__name__ for e in ws.extensions]


def test_S0_28_S0_08_python_websockets_echo_with_deflate_and_subprotocol(run, tmp_path):
    dev = run(python_server(tmp_path, ECHO.format(host='"0.0.0.0"', start=PLAIN_START)))
    subprotocol, extensions = asyncio.run(exchange(dev.url, subprotocols=["x", "chat"]))
    assert subprotocol == "chat"
    assert extensions == ["PerMessageDeflate"]
    record = wait_for(dev.records, "the record")[0]
    assert record["statusCode"] == 200 and record["extensions"].startswith("permessage-deflate")


@pytest.mark.parametrize("host,start", [
    pytest.param('"0.0.0.0"', THREAD_START, id="second-thread"),
    pytest.param("None", PLAIN_START, id="both-families"),
    pytest.param('"::"', PLAIN_START, id="ipv6-only"),
    pytest.param('"127.0.0.1"', PLAIN_START, id="loopback")])
def test_S3_03_a_server_may_bind_as_it_likes(run, tmp_path, host, start):
    dev = run(python_server(tmp_path, ECHO.format(host=host, start=start)))
    asyncio.run(exchange(dev.url, compression=None))
    asyncio.run(exchange(dev.url, compression=None))


def test_S0_15_S0_14_a_server_pushes_without_being_asked(run, tmp_path):
    dev = run(python_server(tmp_path, PUSHING))

    async def listen():
        async with websockets.connect(dev.url) as ws:
            got = [await asyncio.wait_for(ws.recv(), 20) for _ in range(5)]
            await ws.send("hi")
            while (message := await ws.recv()).startswith("push"):
                pass
            return got, message
    got, answer = asyncio.run(listen())
    assert got == [f"push {n}" for n in range(1, 6)]
    assert answer == "server return:hi"


def test_S3_02_S0_29_the_node_program_of_the_seed(run, tmp_path):
    (tmp_path / "index.js").write_text(SEED_003)
    (tmp_path / "node_modules").symlink_to(WS_MODULE)
    dev = run([NODE, "index.js"], cwd=tmp_path)

    async def talk():
        async with websockets.connect(dev.url) as ws:
            await ws.send("hello")
            return await ws.recv()
    assert asyncio.run(talk()) == "hello"
    wait_for(lambda: "[SERVER] connection()" in dev.output(), "its output")


def test_S0_01_a_node_client_and_the_node_example(run, tmp_path):
    dev = run([], "-f", str(ROOT / "examples" / "echo-node" / "function.yaml"),
              cwd=ROOT / "examples" / "echo-node")
    client = tmp_path / "client.js"
    client.write_text("""
const WebSocket = require("ws");
const ws = new WebSocket(process.argv[2]);
const seen = [];
ws.on("message", (data, binary) => {
  seen.push([data.toString(), binary]);
  if (seen.length === 1) { ws.send("one"); ws.send(Buffer.from("two")); }
  if (seen.length === 3) ws.close(1000, "done");
});
ws.on("close", (code) => console.log(JSON.stringify({ seen: seen.slice(1), code })));
""")
    (tmp_path / "node_modules").symlink_to(WS_MODULE)
    out = subprocess.run([NODE, str(client), dev.url], capture_output=True, text=True, timeout=60,
                         check=True).stdout
    assert json.loads(out) == {"seen": [["one", False], ["two", True]], "code": 1000}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def test_S0_11_S0_12_S0_16_S2_01_twenty_clients_get_twenty_processes(run):
    dev = run([], "-f", str(ROOT / "examples" / "echo-python" / "function.yaml"),
              cwd=ROOT / "examples" / "echo-python")
    need_kubectl()
    watch = subprocess.Popen(
        ["kubectl", "--kubeconfig", dev.ready["kubeconfig"], "get", "wsf", "-w"],
        stdout=open(dev.folder / "watch", "wb"))

    async def connect_all():
        sockets = await asyncio.gather(*[websockets.connect(dev.url) for _ in range(20)])
        pids = [int((await ws.recv()).split()[-1]) for ws in sockets]
        return sockets, pids

    async def session():
        sockets, pids = await connect_all()
        assert len(set(pids)) == 20
        for n, ws in enumerate(sockets):
            await ws.send(str(n))
        assert [await ws.recv() for ws in sockets] == [str(n) for n in range(20)]
        shown = await asyncio.to_thread(
            wait_for, lambda: 20 in live_column(dev.folder / "watch"), "LIVE shows 20")
        assert shown
        await asyncio.gather(*[ws.close() for ws in sockets])
        return pids
    try:
        pids = asyncio.run(session())
        # The requirement is 5 s; the bound here is a busy machine's.
        wait_for(lambda: not any(alive(pid) for pid in pids), "every process has gone", 50)
        wait_for(lambda: live_column(dev.folder / "watch")[-1] == 0, "LIVE falls to 0", 50)
        records = wait_for(lambda: len(dev.records()) == 20 and dev.records(), "20 records")
        assert len({r["instance"] for r in records}) == 20, "none served a second connection"
        assert {r["statusCode"] for r in records} == {200}
        assert '"total": 20' in wait_for(
            lambda: (t := dev.kubectl("get", "wsf", "echo", "-o", "json")) and
            '"total": 20' in t and t, "the counters")
    finally:
        watch.terminate()
        watch.wait()


def live_column(path: pathlib.Path) -> list[int]:
    """The LIVE column of `kubectl get wsf -w`, as it went."""
    lines = path.read_text().splitlines()
    rows = [re.split(r"\s{2,}", line) for line in lines if not line.startswith("NAME")]
    return [int(row[2]) for row in rows if len(row) > 3 and row[2].isdigit()] or [-1]


def test_another_listener_on_the_servers_port_is_no_obstacle(run, tmp_path):
    """Something else on this machine listens on that port of every address."""
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        text = ECHO.format(host='"0.0.0.0"', start=PLAIN_START).replace("9000", str(port))
        dev = run(python_server(tmp_path, text), "--set", f"port={port}")
        asyncio.run(exchange(dev.url, compression=None))


def test_S3_14_A17_a_client_that_gives_up_after_four_seconds_is_served_by_a_server_that_takes_six(
        tmp_path, programs):
    """reconnecting-websocket with its defaults: what it left keeps starting and serves its next try."""
    dev = Dev(tmp_path, programs, [str(programs / "wsf-test-server")], [],
              {"WSF_TEST_START_MS": "6000"})
    try:
        answer = subprocess.run([NODE, str(ROOT / "tests" / "clients" / "reconnecting.js"), dev.url],
                                capture_output=True, text=True, timeout=60)
        assert answer.returncode == 0, answer.stderr[-500:]
        opened, message = answer.stdout.splitlines()
        tries, millis = map(int, opened.split()[1:])
        assert message == "message hello"
        assert tries >= 2, "the first one was given up"
        assert millis >= 6000
        records = wait_for(dev.records, "its record")
        assert [r["statusCode"] for r in records] == [200]
    finally:
        dev.close()


def test_U21_a_server_that_sets_no_socket_option_starts_where_another_has_just_ended(
        tmp_path, programs):
    dev = Dev(tmp_path, programs, [str(programs / "wsf-test-server")])
    try:
        # What the last server at the first instance's address leaves: a connection in TIME-WAIT.
        address = re.sub(r".*//(127\.\d+)\..*", r"\1.1.1", dev.ready["adminUrl"])
        with socket.create_server((address, 9000)) as last:
            client = socket.create_connection((address, 9000))
            last.accept()[0].close()
            assert client.recv(1) == b""
            client.close()
        client = dev.request("/echo")
        assert client.receive_head().startswith("HTTP/1.1 101 ")
        client.end()
    finally:
        dev.close()
