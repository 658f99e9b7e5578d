# SPDX-License-Identifier: Apache-2.0
"""Registries within a machine's network, from which its node pulls."""
import crypt
import json
import pathlib
import socket
import subprocess

from kubectl import TOOLS, wait_for
from machine import ADDRESS, Machine

USER, PASSWORD = "puller", "hunter2"


class Registry:
    """The node knows it by `host`. `closed`: it asks for USER and PASSWORD."""

    def __init__(self, machine: Machine, host: str, port: int, closed: bool = False):
        self.machine = machine
        self.address = f"{ADDRESS}:{port}"
        self.user = f"{USER}:{PASSWORD}" if closed else ""
        lead(machine, host, self.address)
        folder = machine.folder / "registry" / host
        folder.mkdir(parents=True)
        settings = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": f"{folder}/data"}},
                    "http": {"addr": self.address, "secret": "of this test"}}
        if closed:
            secret = crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH))
            (folder / "users").write_text(f"{USER}:{secret}\n")
            settings["auth"] = {"htpasswd": {"realm": "test", "path": f"{folder}/users"}}
        (folder / "config.json").write_text(json.dumps(settings))  # which is YAML too
        # The machine's end is its end too: it is one of its processes.
        self.process = subprocess.Popen(
            [*machine.prefix, str(TOOLS / "registry"), "serve", str(folder / "config.json")],
            stdin=subprocess.DEVNULL, stdout=(folder / "log").open("wb"), stderr=subprocess.STDOUT)
        wait_for(self._listens, f"{host} listens; its log is in {folder}")

    def _listens(self) -> bool:
        assert self.process.poll() is None, "the registry has ended"
        host, port = self.address.split(":")
        try:
            self.machine.dial(host, int(port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def push(self, reference: str) -> None:
        self.machine.push(reference, self.address, self.user)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def lead(machine: Machine, host: str, address: str) -> None:
    """Where the node asks for the images of that host."""
    folder: pathlib.Path = machine.folder / "registries" / host
    folder.mkdir(parents=True)
    (folder / "hosts.toml").write_text(
        f'server = "http://{address}"\n[host."http://{address}"]\ncapabilities = ["pull", "resolve"]\n')


def silence(machine: Machine, host: str, port: int) -> socket.socket:
    """A registry that takes connections and never answers."""
    lead(machine, host, f"{ADDRESS}:{port}")
    return machine.inside(lambda: socket.create_server((ADDRESS, port), backlog=100))
