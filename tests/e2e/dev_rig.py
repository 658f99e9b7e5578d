# SPDX-License-Identifier: Apache-2.0
"""`wsf dev` with a function of the test's choice: the real gateway, operator, sidecars and API."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from peers import DEADLINE, Peer, field, switching_protocols, upgrade_request
from puppets import COMMAND, PuppetMaster


def wait_for(condition, what: str, deadline: float = DEADLINE):
    """Polls until `condition()` is true and returns its value."""
    until = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.01)


def need_kubectl() -> None:
    """Skips the test where kubectl is not installed: Debian's is too old to be asked for."""
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")


class Dev:
    """A running `wsf dev`, or what WSF_DEV names: tests/cluster/dev_on_cluster.py."""

    def __init__(self, folder: pathlib.Path, programs: pathlib.Path, command: list[str],
                 flags: list[str] = (), env: dict | None = None, cwd: pathlib.Path | None = None,
                 records: str | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.programs = programs
        self.records_file = folder / "records"
        self.output_file = folder / "output"
        ready = folder / "ready"
        what = ["--", *command] if command else []
        self.process = subprocess.Popen(
            [os.environ.get("WSF_DEV", programs / "wsf"), "dev", "-p", "0",
             f"--ready-file={ready}", f"--data={folder}/data",
             f"--records={records or self.records_file}", *flags, *what],
            env=dict(os.environ, **(env or {})), stdout=open(self.output_file, "wb"),
            stderr=subprocess.STDOUT, cwd=cwd)
        wait_for(lambda: ready.exists() or self.process.poll() is not None, "wsf dev is ready")
        assert ready.exists(), self.output()
        self.ready = json.loads(ready.read_text())
        self.url = self.ready["url"]
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))

    def output(self) -> str:
        return self.output_file.read_text(errors="replace")

    def dial(self) -> Peer:
        return Peer(socket.create_connection(("127.0.0.1", self.port)), masks=True)

    def request(self, path: str = "/", extra: str = "", host: str = "localhost") -> Peer:
        client = self.dial()
        client.send_raw(upgrade_request(path, host, extra))
        return client

    def records(self) -> list[dict]:
        if not self.records_file.exists():
            return []
        lines = self.records_file.read_text().split("\n")[:-1]  # the last may be half written
        return [json.loads(line) for line in lines]

    def record(self, request_id: str) -> dict:
        return wait_for(
            lambda: next((r for r in self.records() if r["requestId"] == request_id), None),
            f"the record of {request_id}")

    def kubectl(self, *arguments: str) -> str:
        need_kubectl()
        return subprocess.run(["kubectl", "--kubeconfig", self.ready["kubeconfig"], *arguments],
                              check=True, capture_output=True, text=True, timeout=60).stdout

    def probe(self, path: str = "/readyz") -> bool:
        """What the gateway's probe port says."""
        host = urllib.parse.urlsplit(self.ready["adminUrl"]).hostname
        try:
            urllib.request.urlopen(f"http://{host}:8082{path}", timeout=DEADLINE).close()
            return True
        except urllib.error.HTTPError:
            return False

    def metrics(self) -> str:
        with urllib.request.urlopen(self.ready["adminUrl"] + "/metrics", timeout=DEADLINE) as answer:
            return answer.read().decode()

    def pid_of(self, program: str) -> int:
        """The first of that name."""
        def found():
            for pid in self.processes():
                try:
                    command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
                except FileNotFoundError:
                    continue
                if pathlib.Path(command.decode()).name == program:
                    return pid
            return None
        return wait_for(found, f"{program} runs")

    def processes(self) -> list[int]:
        """All living descendants of `wsf dev`."""
        found, open_ = [], [self.process.pid]
        while open_:
            pid = open_.pop()
            try:
                threads = os.listdir(f"/proc/{pid}/task")
            except OSError:  # it has ended
                continue
            for thread in threads:
                try:
                    text = pathlib.Path(f"/proc/{pid}/task/{thread}/children").read_text()
                except OSError:
                    continue
                children = list(map(int, text.split()))
                found += children
                open_ += children
        return found

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


class Session:
    """A live connection through gateway and sidecar: `client` and `server` are its two ends."""

    def __init__(self, rig: "DevRig", client: Peer, server, request_head: str, answer_head: str):
        self.rig = rig
        self.client = client
        self.server = server
        self.request_head = request_head
        self.answer_head = answer_head
        self.request_id = field(answer_head, "X-Wsf-Request-Id")

    def record(self) -> dict:
        return self.rig.dev.record(self.request_id)


class DevRig:
    """`wsf dev` whose servers are puppets. One session at a time is being set up."""

    def __init__(self, folder: pathlib.Path, programs: pathlib.Path, flags: list[str] = ()):
        folder.mkdir(parents=True, exist_ok=True)
        self.master = PuppetMaster(folder / "puppet.sock")
        self.dev = Dev(folder, programs, COMMAND, flags, {"PUPPET": str(self.master.path)})

    def connect(self, extra: str = "", answer: str = "", path: str = "/") -> Session:
        client = self.dev.request(path, extra)
        server = self.master.receive()
        head = server.receive_head()
        server.send_raw(switching_protocols(head, answer))
        answer_head = client.receive_head()
        assert answer_head.startswith("HTTP/1.1 101 "), answer_head
        return Session(self, client, server, head, answer_head)

    def close(self) -> None:
        self.dev.close()
        self.master.close()
