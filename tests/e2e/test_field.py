# SPDX-License-Identifier: Apache-2.0
"""Clients and servers of the field, unmodified: what is not installed is skipped by name."""
import asyncio
import functools
import http.server
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

import pytest
import websockets

from dev_rig import Dev, wait_for
from ports import free_port

ROOT = pathlib.Path(__file__).parent.parent.parent
CLIENTS = ROOT / "tests" / "clients"
PYTHON = "/usr/bin/python3"
# The examples greet; this one only echoes.
ECHO = ("import asyncio, websockets\n"
        "async def echo(ws, *_):\n"
        "    async for message in ws: await ws.send(message)\n"
        "async def main():\n"
        "    async with websockets.serve(echo, '0.0.0.0', 9000): await asyncio.Future()\n"
        "asyncio.run(main())\n")


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}")
    return found


@pytest.fixture
def run(tmp_path, programs):
    started = []

    def start(command, *flags, **options):
        started.append(Dev(tmp_path / f"dev{len(started)}", programs, command, list(flags),
                           **options))
        return started[-1]
    yield start
    for dev in started:
        dev.close()


@pytest.fixture
def echo(run):
    return run([PYTHON, "-c", ECHO])


def output(*command, timeout: float = 120) -> str:
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True,
                          timeout=timeout).stdout


def codes(dev: Dev, count: int) -> list[int]:
    return [r["statusCode"] for r in wait_for(
        lambda: len(dev.records()) >= count and dev.records(), f"{count} records")]


# ---- Clients ----

def test_S3_14_reconnecting_websocket_through_three_cycles_of_433(run):
    dev = run([PYTHON, "-c", ECHO], "--set", "executionTimeoutSeconds=1")
    lines = output("node", CLIENTS / "three_lives.js", dev.url).splitlines()
    assert [line for line in lines if line.startswith("open")] == [f"open {i}" for i in range(1, 5)]
    # A try that is cut is told as 1006 by ws; the library passes it on.
    assert lines.count("close 1006") >= 3
    assert codes(dev, 3)[:3] == [433, 433, 433]


def test_S3_15_socket_io_over_websocket(run):
    dev = run(["node", str(CLIENTS / "socketio_server.js")])
    lines = output("node", CLIENTS / "socketio_client.js", dev.url).splitlines()
    assert lines[0].startswith("welcome ") and lines[1] == "hello world"


def test_S0_01_aiohttp(echo):
    aiohttp = pytest.importorskip("aiohttp", reason="needs aiohttp")

    async def talk() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(echo.url, timeout=30) as ws:
                await ws.send_str("hello")
                assert (await ws.receive(timeout=30)).data == "hello"
                await ws.send_bytes(b"x" * 100_000)
                assert (await ws.receive(timeout=30)).data == b"x" * 100_000
                await ws.close(code=1000)
    asyncio.run(talk())
    assert codes(echo, 1) == [200]


def test_S0_01_java(echo):
    need("java")
    need("javac")  # the single-file launcher compiles
    said = output("java", CLIENTS / "java" / "Talk.java", echo.url)
    assert said == "talked, closed with 1000\n"
    assert codes(echo, 1) == [200]


@functools.cache
def gorilla() -> pathlib.Path:
    program = ROOT / "build" / "clients" / "gorilla"
    subprocess.run([need("go"), "build", "-o", program, "."], cwd=CLIENTS / "gorilla", check=True,
                   timeout=600)
    return program


@pytest.mark.long(20)
def test_S0_01_gorilla_from_both_sides(run):
    dev = run([str(gorilla()), "serve"])
    assert output(gorilla(), dev.url) == "talked\n"
    assert codes(dev, 1) == [200]


def test_S0_01_a_rust_server(run):
    target = ROOT / "build" / "clients" / "tungstenite"
    subprocess.run([need("cargo"), "build", "--release", "--quiet", "--target-dir", target],
                   cwd=CLIENTS / "tungstenite", check=True, timeout=600)
    dev = run([str(target / "release" / "tungstenite-echo")])

    async def talk() -> str:
        async with websockets.connect(dev.url) as ws:
            await ws.send("hello")
            return await ws.recv()
    assert asyncio.run(talk()) == "hello"
    assert codes(dev, 1) == [200]


PAGE = """<!doctype html><script>
let last = Promise.resolve();
const say = (what) => { last = last.then(() => fetch("/said?" + encodeURIComponent(what))); };
const socket = new WebSocket("URL", ["chat"]);
socket.onopen = () => socket.send("hello from a page");
socket.onmessage = (event) => { say(event.data); socket.close(1000, "done"); };
socket.onclose = (event) => say(`closed ${event.code} ${event.wasClean}`);
</script>"""


def test_S0_01_a_browser(echo, tmp_path):
    chromium = need("chromium")
    said = []

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            # Before the answer: with it the page goes on to what it says next.
            if self.path.startswith("/said?"):
                said.append(self.path.removeprefix("/said?"))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            if not self.path.startswith("/said?"):
                self.wfile.write(PAGE.replace("URL", echo.url).replace(', ["chat"]', "").encode())

        def log_message(self, *_):
            pass

    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    browser = subprocess.Popen(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", f"--user-data-dir={tmp_path}/profile",
         f"http://localhost:{site.server_address[1]}/"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: len(said) == 2, f"the page says two things, {said}", 60)
        assert said == ["hello%20from%20a%20page", "closed%201000%20true"]
        assert codes(echo, 1) == [200]
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        site.shutdown()


# ---- Sessions that share through a store ----

@pytest.fixture
def store(tmp_path):
    """A Redis server of the test's own; its URL."""
    port = free_port()
    process = subprocess.Popen(
        [need("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
         "--dir", str(tmp_path)], stdout=subprocess.DEVNULL)

    def listens() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False
    wait_for(listens, "redis listens")
    yield f"redis://127.0.0.1:{port}"
    process.kill()
    process.wait()


def test_S3_17_S3_18_S3_16_two_chat_rooms_over_redis(run, store):
    pytest.importorskip("redis", reason="needs python3-redis")
    dev = run([str(ROOT / "examples" / "chat")], env={"REDIS_URL": store})

    async def join(room: str):
        member = await websockets.connect(dev.url + room, open_timeout=30)
        assert await member.recv() == "joined"
        return member

    async def talk() -> None:
        tea = [await join("tea"), await join("tea")]
        coffee = [await join("coffee"), await join("coffee")]
        await tea[0].send("one lump or two?")
        await coffee[1].send("black")
        for member in tea:
            assert await asyncio.wait_for(member.recv(), 30) == "one lump or two?"
        for member in coffee:
            assert await asyncio.wait_for(member.recv(), 30) == "black"
        await tea[1].close()
        await tea[0].send("still there?")
        assert await asyncio.wait_for(tea[0].recv(), 30) == "still there?"
        for member in (tea[0], *coffee):
            await member.close()
    asyncio.run(talk())
    assert codes(dev, 4) == [200] * 4
    assert len({r["podUid"] for r in dev.records()}) == 4
