# SPDX-License-Identifier: Apache-2.0
"""The test's side of tests/servers/puppet.py: receives each connection that a puppet accepts."""
import json
import os
import pathlib
import signal
import socket
import sys

from peers import DEADLINE, Peer

PROGRAM = pathlib.Path(__file__).parent.parent / "servers" / "puppet.py"
COMMAND = [sys.executable, str(PROGRAM)]


class ServerEnd(Peer):
    """The server's end of one connection, and the process it belongs to."""

    def __init__(self, sock: socket.socket, control: socket.socket, pid: int):
        super().__init__(sock, masks=False)
        self.control = control
        self.pid = pid

    def exit(self, status: int) -> None:
        """The process exits; its connection ends with it."""
        self.control.sendall(f"exit {status}\n".encode())
        assert self.control.recv(1) == b""  # it is gone
        self.sock.close()

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)
        assert self.control.recv(1) == b""
        self.sock.close()


class PuppetMaster:
    def __init__(self, path: pathlib.Path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        self.listener.settimeout(DEADLINE)

    def receive(self) -> ServerEnd:
        control, _ = self.listener.accept()
        control.settimeout(DEADLINE)
        message, fds, _, _ = socket.recv_fds(control, 1024, 1)
        return ServerEnd(socket.socket(fileno=fds[0]), control, json.loads(message)["pid"])

    def close(self) -> None:
        self.listener.close()
