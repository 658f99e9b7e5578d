# SPDX-License-Identifier: Apache-2.0
"""Sessions of mixed ends while every part is killed or stopped at random (faults.md G1, 20, 23).

What was struck when is noted, so that each record can be judged: where none of a session's own
parts was killed, exactly one code is right. In a long run the operator is away for a minute at a
time, and the kubelet's word comes up to 100 s late.

WSF_SOAK_SESSIONS and WSF_SOAK_SEED: `make soak` runs 20,000; a failure prints its seed.
"""
import datetime
import os
import pathlib
import random
import signal
import threading
import time

import pytest

from lagging_kubelet import LaggingKubelet
from rig import CLOSE, TEXT, FaultRig, close_body, field, name_of, wait_for
from verdicts import OWN, Session, Strike, judge

SESSIONS = int(os.environ.get("WSF_SOAK_SESSIONS", "500"))
CLIENTS = 12
MEAN_SECONDS_BETWEEN_FAULTS = 2.0
WARM = 8

IS_LONG = SESSIONS > 2000
OPERATOR_IS_BACK, OPERATOR_IS_AWAY = 90, 60  # seconds
LATEST_WORD = 100 if IS_LONG else 0  # seconds
RETRY = 0.05  # seconds
LEAST_EXACT = 0.8

# What a client asks its server for, and what it does itself.
ENDS = [*OWN, *OWN, "leave"]  # whoever leaves at once is told no request id: counted, not judged


def unix(rfc3339: str) -> float:
    return datetime.datetime.fromisoformat(rfc3339.replace("Z", "+00:00")).timestamp()


def run_session(rig: FaultRig, end: str, sessions: list) -> bool:
    """One client. Whatever breaks is the fault's doing: the ledger must still be right. Returns whether
    it was more than sent away until later."""
    since = time.time()
    path = end if end.startswith("/") else "/echo"
    client = None
    try:
        client = rig.dev.request(path)
        if end == "leave":
            client.reset()
            return True
        head = client.receive_head()
        if "Retry-After" in head:
            return False
        is_open = head.startswith("HTTP/1.1 101 ")
        sessions.append(Session(field(head, "X-Wsf-Request-Id"), end, since, is_open))
        if not is_open:
            return True
        client.send(TEXT, b"x")
        if path == "/echo":
            client.receive()
        if end == "client fin":
            return True
        if end == "client rst":
            client.reset()
            return True
        if end.startswith("client "):
            client.send(CLOSE, close_body(int(end.split()[1])))
        if end.startswith("/close/"):
            client.send(CLOSE, client.receive().payload)
        client.receive_all()
        return True
    except (OSError, AssertionError):
        return client is not None  # a gateway that is being started refuses connections
    finally:
        if client is not None:
            client.sock.close()


def pod_of(pid: int) -> str:
    """Of a process of an instance; "" for any other."""
    try:
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    marker = b"WSF_POD_UID="
    return next((each[len(marker):].decode() for each in environment if each.startswith(marker)), "")


class Faults(threading.Thread):
    """Strikes at random until it is stopped; what it did is in `log`."""

    KINDS = [("wsf-operator", "kill"), ("wsf-operator", "stop"), ("wsf-gateway", "kill"),
             ("wsf-gateway", "stop"), ("wsf-sidecar", "kill"), ("wsf-sidecar", "stop"),
             ("wsf-test-server", "kill"), ("wsf-test-server", "stop"), ("wsf-report", "kill"),
             ("wsf", "stop")]

    def __init__(self, rig: FaultRig, chance: random.Random):
        super().__init__()
        self.rig, self.chance = rig, chance
        self.over = threading.Event()
        self.strikes = []

    def run(self) -> None:
        while not self.over.wait(self.chance.expovariate(1 / MEAN_SECONDS_BETWEEN_FAULTS)):
            program, what = self.chance.choice(self.KINDS)
            pids = [self.rig.dev.ready["pid"]] if program == "wsf" else self.rig.pids(program)
            if not pids:
                continue
            pid = self.chance.choice(sorted(pids))
            pod_uid, since = pod_of(pid), time.time()
            try:
                if what == "kill":
                    os.kill(pid, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGSTOP)
                    self.over.wait(self.chance.uniform(0.05, 0.8))
                    os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
            self.strikes.append(Strike(since, time.time(), program, what, pod_uid))


class Absence(threading.Thread):
    """The operator is away, again and again: what ends meanwhile is found out later."""

    def __init__(self, rig: FaultRig):
        super().__init__()
        self.rig = rig
        self.over = threading.Event()
        self.times = 0

    def run(self) -> None:
        while not self.over.wait(OPERATOR_IS_BACK):
            # One that is stopped is struck no more; its successor would be.
            until = time.monotonic() + OPERATOR_IS_AWAY
            self.times += 1
            while time.monotonic() < until and not self.over.wait(0.05):
                self.signal(signal.SIGSTOP)
            self.signal(signal.SIGCONT)

    def signal(self, number: int) -> None:
        for pid in self.rig.pids("wsf-operator"):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass


def descriptors(rig: FaultRig) -> dict[str, int]:
    pids = {"wsf": rig.dev.ready["pid"]}
    for program in ("wsf-operator", "wsf-gateway"):
        pids[program] = wait_for(lambda: next(iter(rig.pids(program)), None), f"{program} runs")
    return {program: len(os.listdir(f"/proc/{pid}/fd")) for program, pid in pids.items()}


def check_nothing_is_left(rig: FaultRig, before: dict[str, int]) -> None:
    wait_for(lambda: len(rig.pods()) == WARM, "only the warm instances are left", 60)
    for pod in rig.pods():
        assert pod["status"]["phase"] == "Running"
    wait_for(lambda: sorted(map(name_of, rig.dev.processes())) ==
             sorted(["wsf", "wsf-gateway", "wsf-operator"] +
                    ["wsf-sidecar", "wsf-test-server"] * WARM),
             "only the processes of the warm instances are left", 60)
    # The operator keeps idle connections to the API for half a minute.
    wait_for(lambda: all(now <= before[program] + 8 for program, now in descriptors(rig).items()),
             f"as few descriptors as before, {before}", 90)


def check_the_judge(sessions: list, records: list, strikes: list) -> None:
    """The control: one wrong verdict among all is found."""
    known = {each.request_id for each in sessions}
    bad = dict(next(each for each in records if each["requestId"] in known))
    bad["statusCode"] = 433
    wrong, _ = judge(sessions, [*records, bad], strikes, unix)
    assert len(wrong) == 1


def run_sessions(rig: FaultRig, chance: random.Random, others: list[threading.Thread]) -> list:
    """All clients, while the others strike; what each was answered."""
    sessions = []
    ends = [chance.choice(ENDS) for _ in range(SESSIONS)]
    lock = threading.Lock()

    def client() -> None:
        while True:
            with lock:
                if not ends:
                    return
                end = ends.pop()
            while not run_session(rig, end, sessions):
                time.sleep(RETRY)

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for each in [*others, *clients]:
        each.start()
    for each in clients:
        each.join()
    for each in others:
        each.over.set()
        each.join()
    return sessions


def check_records(rig: FaultRig, sessions: list, strikes: list) -> float:
    """None is lost, none double, none wrong; returns the share that was checked exactly."""
    established = {each.request_id for each in sessions if each.established}
    counters = rig.rest(len(established), LATEST_WORD)
    records = rig.dev.records()
    lost = established - {record["requestId"] for record in records}
    assert not lost, f"sessions without a record: {lost}"
    assert counters["total"] == len(records)
    wrong, exact = judge(sessions, records, strikes, unix)
    assert not wrong, "\n".join([f"{len(wrong)} wrong:", *wrong[:20]])
    assert exact >= LEAST_EXACT
    check_the_judge(sessions, records, strikes)
    return exact


@pytest.mark.long(60)
@pytest.mark.timeout(300 + SESSIONS // 8)
def test_G1_I4_I9_P18_P21_P22_sessions_under_random_kills_of_every_part(tmp_path, programs):
    seed = int(os.environ.get("WSF_SOAK_SEED", random.randrange(1 << 32)))
    print(f"replay with WSF_SOAK_SEED={seed} WSF_SOAK_SESSIONS={SESSIONS}")
    chance = random.Random(seed)
    rig = FaultRig(tmp_path, programs, ["--set", f"warmInstances={WARM}", "--operator-flag",
                                    "--surplus-seconds=1", "--operator-flag",
                                    "--scale-out-per-minute=1000000"], through_proxy=IS_LONG)
    try:
        wait_for(lambda: len(rig.pods()) == WARM, "the warm instances are made")
        before = descriptors(rig)
        faults = Faults(rig, random.Random(chance.randrange(1 << 32)))
        others, more = [faults], ""
        if IS_LONG:
            kubelet = LaggingKubelet(rig.proxy, random.Random(chance.randrange(1 << 32)), 0.1,
                                     LATEST_WORD)
            others.append(Absence(rig))
        start = time.monotonic()
        sessions = run_sessions(rig, chance, others)
        exact = check_records(rig, sessions, faults.strikes)
        seconds = time.monotonic() - start
        check_nothing_is_left(rig, before)
        if IS_LONG:
            more = f", {others[1].times} absences of the operator, {kubelet.lagged} late words"
        print(f"{SESSIONS} clients, {len(sessions)} answered, {len(rig.dev.records())} records, "
              f"{exact:.1%} checked exactly, {len(faults.strikes)} faults{more}, {seconds:.0f} s")
    finally:
        rig.close()
