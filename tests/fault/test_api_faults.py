# SPDX-License-Identifier: Apache-2.0
"""Faults of the Kubernetes API between it and the operator (faults.md 3 to 11)."""
import json
import threading
import time

import pytest

from api_proxy import Drop
from rig import CLOSE, FUNCTIONS, TEXT, FaultRig, close_body, wait_for

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test


@pytest.fixture(scope="module")
def rig(tmp_path_factory, programs):
    rig = FaultRig(tmp_path_factory.mktemp("api"), programs, ["--set", "warmInstances=1"])
    yield rig
    rig.close()


@pytest.fixture(autouse=True)
def no_faults(rig):
    yield
    rig.proxy.before = rig.proxy.after = lambda point: None
    rig.proxy.answer = lambda method, path: None
    rig.proxy.events = lambda line: [line]
    rig.proxy.watch_cut_after = None


def session(rig: FaultRig) -> None:
    client, _ = rig.open("/echo")
    echo(client)
    client.send(CLOSE, close_body(1000))
    client.expect_close(1000)
    client.end()


def echo(client) -> None:
    client.send(TEXT, b"x")
    client.expect(TEXT, b"x")


def check_counted(rig: FaultRig, total: int, more: int) -> None:
    assert rig.rest(total + more)["total"] == total + more


def drop(*_) -> None:
    raise Drop


def test_fault_3_I5_the_API_is_away(rig):
    total = rig.rest()["total"]
    wait_for(lambda: rig.function()["status"]["free"] == 1, "an instance is free")
    live, _ = rig.open("/echo")
    wait_for(lambda: (rig.function()["status"]["free"], rig.function()["status"]["live"]) == (1, 1),
             "the next one is free")
    before = len(rig.proxy.requests)
    rig.proxy.answer = drop
    rig.proxy.cut_all()
    start = time.monotonic()
    echo(live)
    served, _ = rig.open("/echo")  # from the free instance that the gateway knows
    echo(served)
    served.send(CLOSE, close_body(1000))
    served.expect_close(1000)
    late = rig.dev.request("/echo")  # none is left: it is held
    time.sleep(8)  # how long the API is away, not what is waited for
    echo(live)
    # Two watches, one create, one delete and the status, each with a back-off of its own.
    calls = len(rig.proxy.requests) - before
    assert calls <= 8 * (time.monotonic() - start), f"{calls} calls: a busy loop"
    rig.proxy.answer = lambda method, path: None
    late.sock.settimeout(60)
    assert late.receive_head().startswith("HTTP/1.1 101 ")
    echo(late)
    late.reset()
    live.reset()
    check_counted(rig, total, 3)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_fault_4_the_API_refuses_a_burst(rig, status):
    total = rig.rest()["total"]
    left = [4]
    refusal = json.dumps({"kind": "Status", "status": "Failure", "code": status,
                          "message": "overloaded"}).encode()

    def answer(method, path):
        if left[0] <= 0 or method == "GET":
            return None
        left[0] -= 1
        return status, {"Content-Type": "application/json", "Retry-After": "1"}, refusal

    rig.proxy.answer = answer
    session(rig)
    session(rig)
    check_counted(rig, total, 2)


def test_fault_4_a_slow_API(rig):
    total = rig.rest()["total"]
    rig.proxy.before = lambda point: time.sleep(1)
    session(rig)
    check_counted(rig, total, 1)


@pytest.mark.parametrize("error", [
    {"code": 410},
    # Of an API server whose cache never tells what a list from the store does.
    {"code": 504, "reason": "Timeout", "message": "Too large resource version: 9, current: 8"},
], ids=["expired", "behind"])
def test_fault_5_a_watch_that_fails_at_every_turn_and_a_delete_while_it_is_away(rig, error):
    total = rig.rest()["total"]
    failed = json.dumps({"type": "ERROR", "object": {"kind": "Status", **error}}).encode()
    left = [6]

    def events(line):
        if left[0] > 0:
            left[0] -= 1
            return [failed + b"\n"]  # in place of what it would have told
        return [line]

    before = len(rig.proxy.requests)
    rig.proxy.events = events
    session(rig)
    session(rig)
    check_counted(rig, total, 2)
    assert left[0] == 0
    asked = [path for _, path in rig.proxy.requests[before:]]
    assert any("limit=" in path for path in asked), "nothing was listed anew"


def test_fault_6_a_watch_cut_within_an_event(rig):
    """Cut after 1, 2, 4 ... bytes and after the last ones of the next event."""
    total = rig.rest()["total"]
    sessions = 0
    for cut in [0, 1, 2, 3, 5, 9, 17, 33, 65, 129, 257, 513, 1025, 2049, 1 << 20]:
        rig.proxy.watch_cut_after = cut
        session(rig)
        sessions += 1
        wait_for(lambda: rig.proxy.watch_cut_after is None, "an event was cut")
    check_counted(rig, total, sessions)


@pytest.mark.long(93)
@pytest.mark.timeout(300)
def test_fault_7_a_half_open_watch(rig):
    """Nothing comes any more and nothing ends: found out by the silence, after 90 s at most."""
    total = rig.rest()["total"]
    silent = set(rig.proxy.watching)
    rig.proxy.events = lambda line: [] if threading.get_ident() in silent else [line]
    session(rig)  # from the free instance; its end is seen by the next watch
    wait_for(lambda: rig.function()["status"]["sessions"]["total"] == total + 1, "it is counted", 180)
    session(rig)
    check_counted(rig, total, 2)


def test_fault_8_a_cache_that_lags_seconds_behind(rig):
    total = rig.rest()["total"]

    def events(line):
        time.sleep(0.3)  # before every event of every watch
        return [line]

    rig.proxy.events = events
    for _ in range(3):
        session(rig)
    rig.kill_operator()
    session(rig)
    check_counted(rig, total, 4)


def test_fault_9_a_function_deleted_and_made_anew_unseen(rig):
    rig.rest()
    function = rig.function()
    live, request_id = rig.open("/echo")
    rig.proxy.events = lambda line: [] if line.startswith(b'{"object":{"apiVersion":"wsf.dev') and \
        b'"type":"DELETED"' in line else [line]
    api = rig.access()
    assert api.call("DELETE", FUNCTIONS + "/dev")[0] == 200
    anew = {"apiVersion": function["apiVersion"], "kind": function["kind"],
            "metadata": {"name": "dev", "namespace": "default"}, "spec": function["spec"]}
    assert api.call("POST", FUNCTIONS, anew)[0] == 201
    live.expect_close(1001, "499 function stopped")
    live.end()
    assert rig.dev.record(request_id)["statusCode"] == 499
    wait_for(lambda: rig.function().get("status", {}).get("free") == 1, "the new one has its own")
    uid = rig.function()["metadata"]["uid"]
    session(rig)
    # What the old one carried is counted nowhere: it is gone. What the new one carries is its own.
    wait_for(lambda: rig.function()["status"]["sessions"]["total"] == 1, "one session is counted")
    wait_for(lambda: all(p["metadata"]["ownerReferences"][0]["uid"] == uid for p in rig.pods()),
             "no pod of the old one is left")
    rig.dev.records_file.write_text("")  # from here on records and counters agree again
    wait_for(lambda: rig.function()["status"]["uncounted"] == [], "nothing is in hand")


def test_fault_10_a_conflict_on_every_status_write(rig):
    total = rig.function()["status"]["sessions"]["total"]
    left = [6]
    conflict = json.dumps({"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409,
                           "message": "the object has been modified"}).encode()

    def answer(method, path):
        if left[0] <= 0 or method != "PATCH" or "/status" not in path:
            return None
        left[0] -= 1
        return 409, {"Content-Type": "application/json"}, conflict

    rig.proxy.answer = answer
    session(rig)
    wait_for(lambda: rig.function()["status"]["sessions"]["total"] == total + 1, "it is counted", 60)
    assert left[0] == 0


def test_fault_11_events_twice_and_again_after_those_of_others(rig):
    total = rig.function()["status"]["sessions"]["total"]
    latest = {}
    lock = threading.Lock()

    def events(line):
        uid = uid_of(line)
        with lock:
            others = [told for of, told in latest.items() if of != uid]
            latest[uid] = line
            if b'"type":"DELETED"' in line:
                del latest[uid]
        return [line, line, *others[-3:]]

    rig.proxy.events = events
    rig.kill_operator()
    for _ in range(4):
        session(rig)
    rig.proxy.events = lambda line: [line]
    wait_for(lambda: rig.function()["status"]["sessions"]["total"] == total + 4, "all are counted", 60)


def uid_of(line: bytes) -> str:
    return json.loads(line)["object"].get("metadata", {}).get("uid", "")
