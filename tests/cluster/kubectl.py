# SPDX-License-Identifier: Apache-2.0
"""The real kubectl against one cluster."""
import json
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).parent.parent.parent
TOOLS = ROOT / "build" / "cluster" / "bin"
# Where the API server and kubectl are of: make oldest-test says otherwise.
KUBERNETES = pathlib.Path(os.environ.get("WSF_KUBERNETES", TOOLS))
DEADLINE = 120.0  # generous: a busy machine starts pods slowly


def wait_for(condition, what: str, seconds: float = DEADLINE):
    """Returns what `condition` gives once that is true."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.1)


class Refused(Exception):
    """What kubectl said on standard error."""


class Kubectl:
    """`prefix` goes before each command: into another network, say."""

    def __init__(self, kubeconfig: pathlib.Path, prefix: list[str] = ()):
        self.kubeconfig = kubeconfig
        self.prefix = list(prefix)

    def __call__(self, *arguments: str, stdin: str | None = None, status: tuple = (0,)) -> str:
        done = subprocess.run(
            [*self.prefix, str(KUBERNETES / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin, capture_output=True, text=True, timeout=DEADLINE)
        if done.returncode not in status:
            raise Refused(done.stderr.strip())
        return done.stdout

    def get(self, *arguments: str) -> dict:
        return json.loads(self("get", *arguments, "-o", "json"))

    def pods(self, namespace: str) -> list[dict]:
        return self.get("pods", "-n", namespace)["items"]

    def condition(self, namespace: str, name: str, kind: str) -> dict:
        """Of a function; {} = none yet."""
        status = self.get("wsf", name, "-n", namespace).get("status", {})
        return next((each for each in status.get("conditions", []) if each["type"] == kind), {})

    def find(self, *arguments: str) -> dict | None:
        text = self("get", *arguments, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text else None

    def apply(self, *objects: dict, flags: tuple = ("--server-side",)) -> str:
        return self("apply", *flags, "-f", "-",
                    stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def function(name: str, namespace: str, **spec) -> dict:
    return {"apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def namespace(name: str, **labels: str) -> dict:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
