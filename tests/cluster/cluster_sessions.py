# SPDX-License-Identifier: Apache-2.0
"""Many sessions by several clients at once, on `dev_on_cluster.py`, and what must be true of them when
all has come to rest."""
import itertools
import json
import os
import pathlib
import random
import signal
import threading

from kubectl import Kubectl
from rights import granted
from rig import CLOSE, TEXT, FaultRig, close_body, name_of, wait_for

ENDS = {"client": 200, "/close/1000": 200, "/close/4000": 439, "rst": 456}
CLIENTS = 6
WARM = 4


def nothing() -> None:
    pass


def session(rig: FaultRig, end: str, while_live=nothing) -> str:
    """One whole session; returns its request id."""
    client, request_id = rig.open(end if end.startswith("/") else "/echo")
    client.send(TEXT, b"x")
    if end.startswith("/close/"):
        client.send(CLOSE, client.receive().payload)
    else:
        client.expect(TEXT, b"x")
        while_live()
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
