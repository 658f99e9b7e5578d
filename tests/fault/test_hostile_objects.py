# SPDX-License-Identifier: Apache-2.0
"""What others write into the API, and what an API answers, costs nobody else anything
(contracts.md, S12, S19)."""
import itertools
import json

import pytest

import table
from hostile import Starved
from rig import FUNCTIONS, PODS, FaultRig, name_of, wait_for

from kube_access import MERGE
from test_hostile_clients import echoes

FUNCTION = FUNCTIONS + "/dev"
LABEL = "wsf.dev/function"


@pytest.fixture
def rig(tmp_path, programs):
    rig = FaultRig(tmp_path, programs)
    yield rig
    rig.close()


@pytest.fixture(scope="module")
def untouched(tmp_path_factory, programs):
    """Shared by tests after which nothing must have changed: no part may have ended."""
    rig = FaultRig(tmp_path_factory.mktemp("untouched"), programs, through_proxy=False)
    rig.first = [rig.pids(name)[0] for name in ("wsf-operator", "wsf-gateway")]
    yield rig
    rig.close()


def check_untouched(rig: FaultRig) -> None:
    client, _ = rig.open()
    assert echoes(client)
    client.end()
    rig.rest()
    assert [name_of(pid) for pid in rig.first] == ["wsf-operator", "wsf-gateway"], rig.dev.output()[-3000:]


@pytest.mark.parametrize("status, text", [
    (403, json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 403})),
    (504, json.dumps({"kind": "Status", "metadata": {"resourceVersion": "1"}, "code": 504})),
    (401, "Unauthorized"),
    (500, ""),
], ids=["403", "504", "401", "500"])
def test_D04_fault_4_a_watch_that_is_refused_while_a_pod_goes(rig, status, text):
    """An API server that is just starting says so. The pod's deletion is told by no watch."""
    total = rig.rest()["total"]
    left = itertools.count()

    def answer(method, path):
        if "/pods" in path and "watch=1" in path and next(left) == 0:
            return status, {"Content-Type": "application/json"}, (text + "\n").encode()
        return None

    def after(point):
        if point == "PATCH pods finalizers":
            rig.proxy.after = lambda point: None
            rig.proxy.answer = answer
            rig.proxy.cut_all()
    rig.proxy.after = after
    client, _ = rig.open()
    client.end()
    assert rig.rest(total + 1)["total"] == total + 1
    assert next(left) > 0, "the watch was refused"
    odd = [path for method, path in rig.proxy.requests if "//" in path or path.endswith("resourceVersion=")]
    assert not odd, "nobody asked for what has no name or no version"
    pods = {pod["metadata"]["uid"] for pod in rig.pods()}
    assert rig.function()["status"]["instances"] == len(pods)


def make_pod(rig: FaultRig, name: str, metadata: dict, spec=None) -> tuple[int, dict]:
    spec = {"containers": [{"name": "it", "image": "a"}]} if spec is None else spec
    return rig.access().call("POST", PODS, {"metadata": {"name": name, **metadata}, "spec": spec})


def patch_pod(rig: FaultRig, name: str, metadata: dict) -> None:
    status, answer = rig.access().call("PATCH", f"{PODS}/{name}", {"metadata": metadata}, MERGE)
    assert status == 200, answer


@pytest.mark.parametrize("owner", ["somebody's uid", "the function's own"])
def test_D06_house_L2_S12_an_owner_that_appears_late(untouched, owner):
    """The pod is deleted as nobody's; its finalizer holds it until it has got an owner."""
    rig = untouched
    uid = rig.function()["metadata"]["uid"] if owner == "the function's own" else "u"
    assert make_pod(rig, "late", {"labels": {LABEL: "x"}, "finalizers": ["example.com/hold"]})[0] == 201
    wait_for(lambda: "deletionTimestamp" in rig.access().get(PODS + "/late")["metadata"],
             "the operator deletes what is nobody's")
    patch_pod(rig, "late", {"ownerReferences": [
        {"apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction", "name": "dev", "uid": uid,
         "controller": True}]})
    patch_pod(rig, "late", {"finalizers": None})
    wait_for(lambda: rig.access().call("GET", PODS + "/late")[0] == 404, "it goes")
    check_untouched(rig)


def test_D41_a_finalizer_of_somebody_elses_is_kept_when_ours_is_put_back(rig):
    """It is added while our write is under way, which was made of an older version."""
    client, _ = rig.open()
    name = rig.pods()[0]["metadata"]["name"]
    wait_for(lambda: rig.function()["status"].get("live"), "the instance is known to be live")
    added = []

    def before(point):
        if point == "PATCH pods finalizers" and not added:
            added.append(patch_pod(rig, name, {"finalizers": ["example.com/hold"]}))
    rig.proxy.before = before
    patch_pod(rig, name, {"finalizers": []})
    wait_for(lambda: "wsf.dev/ledger" in rig.pods()[0]["metadata"].get("finalizers", []), "it is put back")
    assert added and "example.com/hold" in rig.pods()[0]["metadata"]["finalizers"]
    patch_pod(rig, name, {"finalizers": ["wsf.dev/ledger"]})
    client.end()
    rig.rest()


@pytest.mark.parametrize("body", [
    {"spec": "a"}, {"spec": []}, {"spec": {"containers": "a"}},
    {"spec": {"containers": ["a"], "initContainers": [5]}},
    {"spec": {"containers": [{"name": 5}], "initContainers": [{}]}},
    {}, {"spec": None},
], ids=lambda body: json.dumps(body))
def test_D21_S19_a_pod_without_a_pods_shape_is_refused(untouched, body):
    status, answer = untouched.access().call("POST", PODS, {"metadata": {"name": "odd"}, **body})
    assert status == 400 and "spec" in answer["message"], answer
    check_untouched(untouched)


ODD = [None, 5, "a", [], {}, ["a"], [5], [[]], {"a": "b"}, True, 1e300]
FIELDS = ["env", "ports", "command", "args", "resources", "workingDir", "image", "volumeMounts"]


@pytest.mark.parametrize("field", FIELDS)
def test_D21_S19_pods_with_odd_parts_end_nobody(untouched, field):
    """Of a pod's shape, but for one field, which is whatever JSON allows."""
    for number, odd in enumerate(ODD):
        server = {"name": "function", "image": "a", "command": ["true"], "ports": [{"containerPort": 9000}],
                  field: odd}
        name = f"odd-{field.lower()}-{number}"
        made, _ = make_pod(untouched, name, {"labels": {LABEL: "x"}},
                           {"initContainers": [server], "containers": [{"name": "relay", field: odd}]})
        assert made == 201
        untouched.access().call("PATCH", f"{PODS}/{name}/status", {"status": {
            "conditions": [odd, {"type": odd}], "podIP": odd, "initContainerStatuses": odd,
            "containerStatuses": [odd, {"name": "relay", "state": odd, "lastState": {"terminated": odd}}]}},
                                MERGE)
        untouched.access().call("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})
    check_untouched(untouched)


@pytest.mark.parametrize("status", table.read("malformed_statuses.yaml"), ids=json.dumps)
def test_D21_S19_a_malformed_status_is_refused_and_keeps_what_is_counted(untouched, status):
    before = untouched.rest()
    answer, body = untouched.access().call("PATCH", FUNCTION + "/status", {"status": status}, MERGE)
    assert answer in (400, 422) and "status" in body["message"], body
    assert untouched.function()["status"]["sessions"] == before
    check_untouched(untouched)


def test_D17_house_M8_fault_42_silent_connections_to_the_api(tmp_path, programs):
    """As many as the supervisor has descriptors for: it spins not, sessions go on, and it serves again."""
    rig = FaultRig(tmp_path, programs, through_proxy=False)
    try:
        live, _ = rig.open()
        access = rig.access()
        starved = Starved(rig.pids("wsf")[0], (access.host, int(access.port)))
        try:
            wait_for(lambda: starved.press(0.1) is not None and starved.is_full(), "it is full")
            share = starved.press(2)
            assert share < 0.05, f"the supervisor spins: {share:.0%} of a core"
            assert echoes(live)
        finally:
            starved.release()
        client, _ = rig.open()
        assert echoes(client)
    finally:
        rig.close()
