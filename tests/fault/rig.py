# SPDX-License-Identifier: Apache-2.0
"""`wsf dev` whose operator reaches the API, and whose peers reach the operator, through fault
proxies; and what must be true once everything has come to rest."""
import json
import os
import pathlib
import signal
import socket
import sys
import time

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from api_proxy import ApiProxy  # noqa: E402
from dev_rig import Dev, wait_for  # noqa: E402
from kube_access import FUNCTIONS, PODS, KubeAccess  # noqa: E402,F401
from peers import CLOSE, DEADLINE, TEXT, Peer, close_body, field, upgrade_request  # noqa: E402,F401

REST = float(os.environ.get("WSF_REST_SECONDS", "60"))  # in which everything must come to rest, on a busy machine too


class FaultRig:
    """A running `wsf dev` with the scripted test server."""

    def __init__(self, folder: pathlib.Path, programs: pathlib.Path, flags: list[str] = (),
                 env: dict | None = None, through_proxy: bool = True, prepare=lambda rig: None,
                 records: str | None = None, command: list[str] | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self._access = None
        self.folder = folder
        self.proxy = ApiProxy(folder / "proxy", self.access) if through_proxy else None
        flags = list(flags)
        if through_proxy:
            flags += ["--operator-flag", f"--kubeconfig={self.proxy.kubeconfig}"]
        prepare(self)  # faults that hold from the very start
        self.dev = Dev(folder / "dev", programs, command or [str(programs / "wsf-test-server")], flags,
                       env, records=records)
        wait_for(lambda: "status" in self.function(), "the first status is written")

    def access(self) -> KubeAccess:
        if self._access is None:
            path = self.folder / "dev" / "data" / "kubeconfig"
            wait_for(path.exists, "the kubeconfig is written")
            self._access = KubeAccess(path, self.folder)
        return self._access

    def close(self) -> None:
        self.dev.close()
        if self.proxy is not None:
            self.proxy.close()

    # ---- Processes ----

    def pids(self, program: str) -> list[int]:
        return [pid for pid in self.dev.processes() if name_of(pid) == program]

    def kill_operator(self) -> None:
        """At any time, before `wsf dev` is ready too."""
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            pid = int(entry.parent.name)
            try:
                ours = str(self.proxy.kubeconfig).encode() in entry.read_bytes()
            except OSError:
                continue
            if ours and name_of(pid) == "wsf-operator":
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda: name_of(pid) != "wsf-operator", "the operator is gone")

    def kill(self, program: str, number: int = signal.SIGKILL) -> int:
        pid = wait_for(lambda: next(iter(self.pids(program)), None), f"{program} runs")
        os.kill(pid, number)
        if number == signal.SIGKILL:
            wait_for(lambda: name_of(pid) != program, f"{program} is gone")
        return pid

    # ---- Sessions ----

    def open(self, path: str = "/echo") -> tuple[Peer, str]:
        """A client behind its 101, and its request id. A gateway may just be starting."""
        until = time.monotonic() + REST
        while True:
            try:
                client = self.dev.request(path)
                head = client.receive_head()
            except (OSError, AssertionError):
                head = ""
            if head.startswith("HTTP/1.1 101 "):
                return client, field(head, "X-Wsf-Request-Id")
            assert time.monotonic() < until, f"no 101: {head}"
            time.sleep(0.02)

    # ---- What is true at rest ----

    def function(self) -> dict:
        return self.access().get(FUNCTIONS + "/dev")

    def pods(self) -> list[dict]:
        return self.access().get(PODS)["items"]

    def unrest(self, total: int) -> str | None:
        """Why things have not come to rest yet; None when they have."""
        status = self.function().get("status")
        if status is None:
            return "no status was written yet"
        if status.get("uncounted"):
            return f"uncounted: {status['uncounted']}"
        if status.get("live") or status.get("liveSessions"):
            return "sessions are live"
        if status.get("instances", 0) != status.get("free", 0) + status.get("starting", 0):
            return "instances end: what they report may be on its way"
        if status.get("sessions", {}).get("total", 0) < total:
            return f"{status['sessions']} instead of {total} sessions"
        for pod in self.pods():
            if "deletionTimestamp" in pod["metadata"]:
                return f"pod {pod['metadata']['name']} is being deleted"
        by_code = {}
        for record in self.dev.records():
            by_code[str(record["statusCode"])] = by_code.get(str(record["statusCode"]), 0) + 1
        counted = status.get("sessions", {}).get("byCode", {})
        if by_code != counted:
            return f"records {by_code}, counters {counted}"
        billed = sum(record.get("billedMs", 0) for record in self.dev.records())
        concurrency = self.function()["spec"].get("instanceConcurrency", 1)
        if concurrency == 1 and billed != status.get("sessions", {}).get("billedMilliseconds", 0):
            return f"records bill {billed}, counters {status['sessions']}"
        return None

    def rest(self, total: int = 0, more_seconds: float = 0) -> dict:
        """Waits until everything has come to rest, with at least `total` sessions counted, and
        returns the counters."""
        until = time.monotonic() + REST + more_seconds
        while (why := self.unrest(total)) is not None:
            assert time.monotonic() < until, f"no rest: {why}\n{self.dev.output()[-3000:]}"
            time.sleep(0.05)
        keys = [(r["podUid"], r["requestId"]) for r in self.dev.records()]
        assert len(keys) == len(set(keys)), "a record twice"
        return self.function()["status"]["sessions"]


def name_of(pid: int) -> str:
    """The program of a living process; "" when it is gone or a zombie."""
    try:
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return ""
    return pathlib.Path(command.decode()).name
