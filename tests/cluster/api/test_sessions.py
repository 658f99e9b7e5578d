# SPDX-License-Identifier: Apache-2.0
"""Sessions while a real API server is killed again and again, and its store compacted: the operator
has its ServiceAccount's rights, the instances are processes (G1, I4, faults.md 3 and 5)."""
import json
import pathlib
import threading
import urllib.request

import pytest

from cluster_sessions import WARM, check, check_no_drift, children, kill_api_server, run_sessions
from rig import FaultRig, wait_for


@pytest.fixture
def rig(tmp_path, programs, monkeypatch):
    here = pathlib.Path(__file__).parent.parent
    monkeypatch.setenv("WSF_DEV", str(here / "dev_on_cluster.py"))
    rig = FaultRig(tmp_path, programs, ["--set", f"warmInstances={WARM}"], through_proxy=False)
    yield rig
    rig.close()


@pytest.mark.timeout(240)
@pytest.mark.long(60)
def test_G1_I4_fault_3_K53_sixty_sessions_and_three_kills_of_the_API_server(rig):
    def on_each(over: int) -> None:
        if over in (10, 25, 40):
            kill_api_server(rig)
    before = rig.function()
    check(rig, run_sessions(rig, 60, on_each))
    check_no_drift(rig, before)


class Compactor(threading.Thread):
    """Forgets what etcd had before now, every five seconds: watches that resume get 410."""

    def __init__(self, rig: FaultRig):
        super().__init__(daemon=True)
        pid, = children(rig, "etcd")
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        self.url = words[words.index("--listen-client-urls") + 1]
        self.over = threading.Event()
        self.times = 0

    def _call(self, path: str, body: dict) -> dict:
        request = urllib.request.Request(f"{self.url}/v3/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def run(self) -> None:
        last = ""
        while not self.over.wait(5):
            revision = self._call("maintenance/status", {})["header"]["revision"]
            if revision != last:  # it refuses the same twice
                self._call("kv/compaction", {"revision": revision})
            last = revision
            self.times += 1


@pytest.mark.nightly
@pytest.mark.timeout(1500)
def test_G1_I4_fault_3_fault_5_five_hundred_sessions_and_twenty_kills(rig):
    compactor = Compactor(rig)
    compactor.start()

    def on_each(over: int) -> None:
        if over % 24 == 0:
            kill_api_server(rig)
    done = run_sessions(rig, 500, on_each)
    compactor.over.set()
    compactor.join()
    assert compactor.times > 3
    check(rig, done)
