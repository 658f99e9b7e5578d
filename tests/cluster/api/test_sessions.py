# SPDX-License-Identifier: Apache-2.0
"""Sessions while a real API server is killed again and again, and its store compacted: the operator
has its ServiceAccount's rights, the instances are processes (G1, I4, faults.md 3 and 5)."""
import itertools
import json
import os
import pathlib
import random
import signal
import threading
import urllib.request

import pytest

from kubectl import Kubectl
from rights import granted
from rig import CLOSE, TEXT, FaultRig, close_body, field, name_of, wait_for

ENDS = {"client": 200, "/close/1000": 200, "/close/4000": 439, "rst": 456}
CLIENTS = 6
WARM = 4


@pytest.fixture
def rig(tmp_path, programs, monkeypatch):
    here = pathlib.Path(__file__).parent.parent
    monkeypatch.setenv("WSF_DEV", str(here / "dev_on_cluster.py"))
    rig = FaultRig(tmp_path, programs, ["--set", f"warmInstances={WARM}"], through_proxy=False)
    yield rig
    rig.close()


def session(rig: FaultRig, end: str) -> str:
    """One whole session; returns its request id."""
    client, request_id = rig.open(end if end.startswith("/") else "/echo")
    client.send(TEXT, b"x")
    if end.startswith("/close/"):
        client.send(CLOSE, client.receive().payload)
    else:
        client.expect(TEXT, b"x")
        if end == "rst":
            client.reset()
            return request_id
        client.send(CLOSE, close_body(1000))
    client.receive_all()
    client.sock.close()
    return request_id


def run_sessions(rig: FaultRig, count: int, on_each) -> dict[str, str]:
    """Request id -> how it was to end. `on_each` is called with how many are over."""
    done: dict[str, str] = {}
    todo = itertools.count()
    lock = threading.Lock()
    errors = []

    def client() -> None:
        while True:
            with lock:
                if next(todo) >= count or errors:
                    return
                end = random.choice(list(ENDS))
            try:
                request_id = session(rig, end)
            except BaseException as error:
                errors.append(error)
                raise
            with lock:
                done[request_id] = end
                on_each(len(done))

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not errors
    return done


def children(rig: FaultRig, program: str) -> list[int]:
    return [pid for pid in rig.dev.processes() if name_of(pid) == program]


def kill_api_server(rig: FaultRig) -> None:
    """It is started again at once and serves some seconds later."""
    pid, = wait_for(lambda: children(rig, "kube-apiserver"), "there is an API server")
    os.kill(pid, signal.SIGKILL)


def audit(rig: FaultRig) -> list[dict]:
    """What the operator has asked for."""
    logs = rig.folder.glob("dev/data/cluster*/audit.log")
    # A killed server leaves half a line.
    events = [json.loads(line) for log in logs for line in log.read_text().splitlines()
              if line.endswith("}") and line.startswith("{")]
    return [each for each in events if each["user"]["username"].endswith(":wsf-operator")]


def check(rig: FaultRig, done: dict[str, str]) -> None:
    counters = rig.rest(len(done), 60)
    records = {each["requestId"]: each for each in rig.dev.records()}
    assert done.keys() <= records.keys(), "sessions without a record"
    wrong = {key: (end, records[key]["statusCode"]) for key, end in done.items()
             if records[key]["statusCode"] != ENDS[end]}
    assert not wrong
    assert counters["total"] == len(records) == len(done)
    calls = audit(rig)
    assert calls
    nameless = [each["requestURI"] for each in calls if "/pods/?" in each["requestURI"] or
                each["requestURI"].endswith("/pods/")]
    assert not nameless, nameless
    # An API server that has just started refuses what it allows a moment later.
    refused = set()
    for each in calls:
        decision = each.get("annotations", {}).get("authorization.k8s.io/decision")
        if decision == "forbid" and "objectRef" in each:
            where = each["objectRef"]
            sub = f"/{where['subresource']}" if "subresource" in where else ""
            refused.add((each["verb"], where["resource"] + sub))
    assert refused <= granted("wsf-system"), "the operator called what it may not (K30)"


def check_no_drift(rig: FaultRig, before: dict) -> None:
    """What a user has applied is as it was (K03, K53)."""
    kubectl = Kubectl(pathlib.Path(rig.dev.ready["kubeconfig"]))
    applied = {"apiVersion": before["apiVersion"], "kind": before["kind"],
               "metadata": {"name": "dev", "namespace": "default"}, "spec": before["spec"]}
    assert kubectl("diff", "--server-side", "--force-conflicts", "-f", "-", status=(0, 1),
                   stdin=json.dumps(applied)) == ""
    after = kubectl.get("wsf", "dev")["metadata"]
    assert after["generation"] == before["metadata"]["generation"]
    for part in ("labels", "annotations", "finalizers"):
        assert after.get(part) == before["metadata"].get(part), part


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
