# SPDX-License-Identifier: Apache-2.0
"""One wsf-operator on loopback, with the rights of its service account."""
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import urllib.error
import urllib.request

from kubectl import DEADLINE, wait_for
from loopback import address

# Loopback is reached by no proxy, whatever the environment says.
DIRECT = urllib.request.build_opener(
    urllib.request.ProxyHandler({}),
    urllib.request.HTTPSHandler(context=ssl._create_unverified_context()))


class Replica:
    """Its ports are the usual ones on an address of its own, so that it is told from others by
    address, as pods are. `kubeconfig` is another than one with a token of its account."""

    def __init__(self, api, programs: pathlib.Path, folder: pathlib.Path, system: str,
                 flags: tuple[str, ...] = (), kubeconfig: pathlib.Path | None = None):
        self.api, self.system, self._token = api, system, None
        self.ip = address()
        self.name = f"operator-{self.ip.replace('.', '-')}"
        self.log = folder / f"{self.name}.log"
        kubeconfig = kubeconfig or api.kubeconfig_of("wsf-operator", system)
        ports = {"sidecar": 9443, "gateway": 9444, "admin": 9445, "probe": 8082}
        listen = [f"--{name}-listen={self.ip}:{port}" for name, port in ports.items()]
        self.process = subprocess.Popen(
            [str(programs / "wsf-operator"), f"--kubeconfig={kubeconfig}",
             f"--namespace={system}", *listen, *flags],
            env={**os.environ, "POD_NAME": self.name, "POD_IP": self.ip},
            stdout=self.log.open("wb"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def probe(self, path: str) -> str:
        """What the kubelet is told."""
        try:
            with DIRECT.open(f"http://{self.ip}:8082{path}", timeout=10) as answer:
                return answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            return error.read().decode().strip()

    def ask(self, path: str, token: str | None = None, method: str = "GET", **headers) -> tuple[int, str]:
        """Status and body of its admin port's answer to the bearer of `token`."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(f"https://{self.ip}:9445{path}", method=method, headers=headers)
        try:
            with DIRECT.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def page(self, path: str) -> str:
        """What people and monitoring are told."""
        if self._token is None:
            self._token = self.api.kubectl("create", "token", "wsf-people", "-n", self.system).strip()
        status, body = self.ask(path, self._token)
        assert status == 200, (status, body)
        return body

    def metric(self, name: str) -> float:
        try:
            found = re.search(rf"^{re.escape(name)} (\S+)$", self.page("/metrics"), re.MULTILINE)
        except (OSError, AssertionError):
            return -1.0  # not up yet, or gone
        return float(found.group(1)) if found else 0.0

    def leads(self) -> bool:
        return self.metric("wsf_leader") == 1

    def await_ready(self) -> "Replica":
        def is_ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            try:
                return self.probe("/readyz") == "ok"
            except OSError:
                return False
        wait_for(is_ready, f"{self.name} is ready")
        return self

    def await_leading(self) -> "Replica":
        wait_for(self.leads, f"{self.name} leads")
        return self

    def lines(self, message: str) -> list[dict]:
        parsed = [json.loads(line) for line in self.log.read_text().splitlines()
                  if line.startswith("{")]
        return [line for line in parsed if line["msg"] == message]

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
