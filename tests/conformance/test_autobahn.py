# SPDX-License-Identifier: Apache-2.0
"""G11: Autobahn's cases against a server directly, and against the same server behind gateway and
sidecar, give the same answers: a pass-through adds nothing and takes nothing away.

WSF_AUTOBAHN=all runs all 517; else 60 that differ in kind.
"""
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from dev_rig import Dev, wait_for  # noqa: E402
from ports import free_port  # noqa: E402

WSTEST = ROOT / "build" / "autobahn" / "bin" / "wstest"
ALL = os.environ.get("WSF_AUTOBAHN") == "all"
COUNT = 517 if ALL else 60
# Sizes, fragments, control frames, violations, UTF-8, closes, large messages, deflate.
CASES = ["*"] if ALL else """
    1.1.1 1.1.2 1.1.6 1.1.7 1.2.3 1.2.8 2.1 2.4 2.5 2.6 2.7 2.10 2.11 3.1 3.2 3.4 3.5 3.7
    4.1.1 4.1.4 4.2.1 4.2.5 5.1 5.3 5.4 5.6 5.7 5.9 5.15 5.18 5.19
    6.1.1 6.1.3 6.2.2 6.2.4 6.3.1 6.4.1 6.4.3 6.6.2 6.12.5
    7.1.1 7.1.3 7.1.4 7.3.1 7.3.2 7.3.4 7.3.6 7.5.1 7.7.1 7.7.13 7.9.1 7.9.9
    9.1.1 9.3.1 9.5.1 9.7.1 10.1.1 12.1.1 12.2.1 13.1.1""".split()
COMPARED = ("behavior", "behaviorClose", "remoteCloseCode")

PYTHON_ECHO = ("import asyncio, os, websockets\n"
               "async def echo(ws, *_):\n"
               "    async for message in ws: await ws.send(message)\n"
               "async def main():\n"
               "    async with websockets.serve(echo, '0.0.0.0', int(os.environ.get('PORT', 9000)),\n"
               "                                max_size=None, ping_interval=None):\n"
               "        await asyncio.Future()\n"
               "asyncio.run(main())\n")
AIOHTTP_ECHO = ("import os\n"
                "from aiohttp import WSMsgType, web\n"
                "async def echo(request):\n"
                "    ws = web.WebSocketResponse(max_msg_size=0)\n"
                "    await ws.prepare(request)\n"
                "    async for message in ws:\n"
                "        if message.type == WSMsgType.TEXT: await ws.send_str(message.data)\n"
                "        if message.type == WSMsgType.BINARY: await ws.send_bytes(message.data)\n"
                "    return ws\n"
                "app = web.Application()\n"
                "app.router.add_get('/{path:.*}', echo)\n"
                "web.run_app(app, port=int(os.environ.get('PORT', 9000)), print=None)\n")
PYTHON = str(WSTEST.parent / "python")
SERVERS = {"websockets": [PYTHON, "-c", PYTHON_ECHO],
           "aiohttp": [PYTHON, "-c", AIOHTTP_ECHO],
           "ws": ["node", str(ROOT / "tests" / "clients" / "echo_server.js")]}


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except ConnectionRefusedError:
        return False


def run_cases(folder: pathlib.Path, url: str, cases: list[str]) -> dict:
    """The suite's verdicts by case."""
    folder.mkdir()
    spec = folder / "spec.json"
    spec.write_text(json.dumps({
        "outdir": str(folder), "servers": [{"agent": "one", "url": url}], "cases": cases,
        "exclude-cases": [], "exclude-agent-cases": {}}))
    subprocess.run([WSTEST, spec], check=True, timeout=1800, stdout=subprocess.DEVNULL)
    index = json.loads((folder / "index.json").read_text())
    return {case: tuple(verdict[name] for name in COMPARED)
            for case, verdict in index.get("one", {}).items()}


RANKS = {"OK": 2, "NON-STRICT": 1}  # FAILED, WRONG CODE, UNCLEAN: 0


def is_as_good(through: str, alone: str) -> bool:
    ranked = "INFORMATIONAL" not in (through, alone)
    return through == alone or (ranked and RANKS.get(through, 0) > RANKS.get(alone, 0))


def is_worse(through: tuple | None, alone: tuple) -> bool:
    """Ours may differ in two ways. A server to whom we give the time to answer what came before a
    violation passes where it does not quite when it is spoken to directly. And a server that takes a
    violation for none says 1000, where our Close says 1002 (E08)."""
    if through is None or not all(map(is_as_good, through[:2], alone[:2])):
        return True
    return through[2] not in (alone[2], 1002 if alone[2] == 1000 else None)


def test_what_is_worse_is_found():
    same = ("OK", "OK", 1000)
    assert not is_worse(same, same)
    assert not is_worse(("OK", "OK", 1002), ("FAILED", "WRONG CODE", 1000))
    assert is_worse(("FAILED", "UNCLEAN", 1000), ("FAILED", "FAILED", 1000))
    assert not is_worse(("INFORMATIONAL", "INFORMATIONAL", 1002), ("INFORMATIONAL", "INFORMATIONAL", 1000))
    for through in (None, ("FAILED", "OK", 1000), ("OK", "FAILED", 1000), ("NON-STRICT", "OK", 1000),
                    ("OK", "OK", 1006), ("OK", "OK", 1001), ("FAILED", "FAILED", 1002),
                    ("INFORMATIONAL", "OK", 1000)):
        assert is_worse(through, same), through
    assert is_worse(("OK", "OK", 1000), ("OK", "OK", 1002))


@pytest.fixture
def direct():
    """Starts a server by itself; its URL."""
    started = []

    def start(command: list[str]) -> str:
        port = free_port()
        started.append(subprocess.Popen(command, env=dict(os.environ, PORT=str(port))))
        wait_for(lambda: listens(port), "the server listens")
        return f"ws://127.0.0.1:{port}/"
    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def behind(tmp_path):
    """Starts the same server behind gateway and sidecar, limits off; its URL."""
    programs = pathlib.Path(os.environ.get("WSF_BIN", ROOT / "build" / "release" / "bin"))
    started = []

    def start(command: list[str]) -> str:
        started.append(Dev(tmp_path / "dev", programs, command,
                           ["--set", "limits.maxMessageBytes=1073741824",
                            "--set", "warmInstances=2"]))
        return started[-1].url.replace("localhost", "127.0.0.1")
    yield start
    for dev in started:
        dev.close()


@pytest.mark.timeout(1800 if ALL else 180)
@pytest.mark.parametrize("server", SERVERS)
def test_G11_every_case_ends_as_it_does_without_us(tmp_path, direct, behind, server):
    urls = {"direct": direct(SERVERS[server]), "behind": behind(SERVERS[server])}

    def run_both(name: str, cases: list[str]) -> tuple[dict, dict]:
        verdicts = {}

        def run(where: str) -> None:
            verdicts[where] = run_cases(tmp_path / f"{name}-{where}", urls[where], cases)
        threads = [threading.Thread(target=run, args=(where,)) for where in urls]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return verdicts["direct"], verdicts["behind"]

    alone, through = run_both("all", CASES)
    assert len(alone) == len(through) == COUNT
    differ = [case for case in alone if is_worse(through.get(case), alone[case])]
    # In a few cases a server races with itself: whether it answers a message before it looks at the
    # violation that came right behind it. Those agree when they are run again; ours would not.
    for attempt in range(5):
        if not differ:
            return
        alone, through = run_both(f"again-{attempt}", differ)
        differ = [case for case in differ if is_worse(through[case], alone[case])]
    assert not differ, {case: (alone[case], through[case]) for case in differ}


def alter(source: socket.socket, sink: socket.socket, seen: bytearray) -> None:
    """Copies, but for the last byte of each piece behind the handshake's head."""
    while data := source.recv(65536):
        seen += data
        if re.search(rb"\r\n\r\n.", seen, re.S):
            data = data[:-1] + bytes([data[-1] ^ 1])
        sink.sendall(data)
    with contextlib.suppress(OSError):  # both ways may be over
        sink.shutdown(socket.SHUT_WR)


def test_an_altered_byte_is_noticed(tmp_path, direct):
    """A control: the comparison above can fail."""
    url = direct(SERVERS["websockets"])
    port = int(url.split(":")[2].strip("/"))
    honest = run_cases(tmp_path / "honest", url, ["1.1.*"])
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=alter, args=(*pair, bytearray()), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    altered = run_cases(tmp_path / "altered",
                        f"ws://127.0.0.1:{listener.getsockname()[1]}/", ["1.1.*"])
    assert len(honest) == len(altered) > 0
    assert honest != altered
