# SPDX-License-Identifier: Apache-2.0
"""The sidecar alone, a puppet behind it: the smallest thing that has an E table."""
import base64
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import time

from peers import DEADLINE, Peer, switching_protocols, upgrade_request
from ports import free_port
from puppets import COMMAND, PuppetMaster, ServerEnd

TOKEN = "c0ffee" * 10
STUB = pathlib.Path(__file__).parent.parent / "servers" / "report_stub.py"


# Field numbers of wsf.v1.SessionSettings.
SETTINGS = {"idleTimeoutSeconds": 1, "executionTimeoutSeconds": 2, "handshakeTimeoutSeconds": 3,
            "closeTimeoutSeconds": 4, "maxMessageBytes": 5, "requestBytesPerSecond": 6,
            "requestsPerSecond": 7, "onRateExceeded": 8, "instanceConcurrency": 9}
# Of its closePolicy, field 10.
POLICY = {"emptyCloseIsSuccess": 1, "idleCountsControlFrames": 2, "idleTimeout": 3,
          "executionTimeout": 4}
CLOSE, ABORT = 1, 2  # TimeoutAction, RateAction


def varints(fields: dict[str, int], values: dict) -> bytes:
    message = b""
    for name, value in values.items():
        message += bytes([fields[name] << 3])
        while value > 127:
            message += bytes([value & 127 | 128])
            value >>= 7
        message += bytes([value])
    return message


def settings_header(values: dict) -> str:
    message = varints(SETTINGS, {k: v for k, v in values.items() if k in SETTINGS})
    policy = varints(POLICY, {k: v for k, v in values.items() if k in POLICY})
    if policy:
        message += bytes([10 << 3 | 2, len(policy)]) + policy
    return f"X-Wsf-Settings: {base64.b64encode(message).decode()}\r\n" if message else ""


class Session:
    """A live connection: `client` and `server` are its two ends."""

    def __init__(self, rig: "SidecarRig", client: Peer, server: ServerEnd, head: str):
        self.rig = rig
        self.client = client
        self.server = server
        self.request_head = head

    def record(self) -> dict:
        return self.rig.record()


class SidecarRig:
    def __init__(self, folder: pathlib.Path, programs: pathlib.Path):
        self.port = free_port()
        self.server_port = free_port()
        self.message = folder / "termination"
        self.reports = folder / "reports"
        self.reports.touch()
        self.master = PuppetMaster(folder / "puppet.sock")
        stub = folder / "report"
        stub.write_text(f"#!/bin/sh\nexec {sys.executable} {STUB}\n")
        stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
        env = dict(os.environ, REPORTS=str(self.reports), CLAIM_TOKEN=TOKEN,
                   PUPPET=str(self.master.path), PORT=str(self.server_port))
        self.sidecar = subprocess.Popen(
            [programs / "wsf-sidecar", "--pod-uid=uid-1", "--operator=127.0.0.1:1",
             f"--listen=127.0.0.1:{self.port}", f"--port={self.server_port}",
             f"--termination-log={self.message}", f"--report-program={stub}"], env=env)
        self.env = env
        self.puppet = None

    def start_server(self) -> None:
        self.puppet = subprocess.Popen(COMMAND, env=self.env)
        self.wait_for(lambda: self.control("state") == "free")

    def wait_for(self, condition) -> None:
        until = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < until, "never happened"
            time.sleep(0.005)

    def dial(self) -> Peer:
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                return Peer(socket.create_connection(("127.0.0.1", self.port)), masks=True)
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.005)

    def control(self, command: str, token: str = TOKEN, extra: str = "") -> str:
        peer = self.dial()
        peer.send_raw(f"GET / HTTP/1.1\r\nHost: x\r\nX-Wsf-Control: {command}\r\n"
                      f"X-Wsf-Claim: {token}\r\n{extra}\r\n".encode())
        head = peer.receive_head()
        body = peer.receive_all().decode()
        return body or head.split("\r\n")[0]

    def claim(self, extra: str = "", path: str = "/", token: str = TOKEN,
              request_id: str = "id-1") -> Peer:
        client = self.dial()
        client.send_raw(upgrade_request(path, extra=f"X-Wsf-Claim: {token}\r\n"
                                        f"X-Wsf-Request-Id: {request_id}\r\n{extra}"))
        return client

    def connect(self, extra: str = "", answer: str = "", path: str = "/",
                settings: dict | None = None) -> Session:
        client = self.claim(extra + settings_header(settings or {}), path)
        assert "X-Wsf-Sidecar: taken" in client.receive_head()
        server = self.master.receive()
        head = server.receive_head()
        server.send_raw(switching_protocols(head, answer))
        assert client.receive_head().startswith("HTTP/1.1 101 ")
        return Session(self, client, server, head)

    def record(self) -> dict:
        """The termination message, which is whole before the end is reported."""
        self.wait_for(lambda: "ended" in self.reports.read_text().split())
        return json.loads(self.message.read_bytes())

    def close(self) -> None:
        for process in (self.sidecar, self.puppet):
            if process is not None:
                process.kill()
                process.wait()
        self.master.close()
