# SPDX-License-Identifier: Apache-2.0
"""Instances whose name, label, token, status or sidecar is not what the operator expects: nobody
waits for them in vain, and none is counted wrongly."""
import os
import signal
import threading
import time

import pytest

from rig import FUNCTIONS, PODS, FaultRig, name_of, wait_for

from kube_access import MERGE
from test_hostile_clients import echoes

FUNCTION = FUNCTIONS + "/dev"
LABEL = "wsf.dev/function"
SOON = 20  # seconds; without the mend it is 95 or for ever


@pytest.fixture
def rig(tmp_path, programs):
    rig = FaultRig(tmp_path, programs)
    yield rig
    rig.close()


def served_soon(rig: FaultRig) -> None:
    start = time.monotonic()
    client, _ = rig.open()
    assert time.monotonic() - start < SOON
    assert echoes(client)
    client.end()


def test_D14_K20_a_foreign_pod_has_the_next_name(rig):
    """With no warm instance and one client at a time nobody else's start moves the number on."""
    total = rig.rest()["total"]
    name = rig.function()["status"]["revision"] + "-1"
    status, _ = rig.access().call("POST", PODS, {"metadata": {"name": name}, "spec": {
        "containers": [{"name": "it", "image": "a"}]}})
    assert status == 201
    served_soon(rig)
    assert rig.access().call("DELETE", f"{PODS}/{name}")[0] == 200
    assert rig.rest(total + 1)["total"] == total + 1


def take_label(rig: FaultRig, name: str) -> None:
    status, body = rig.access().call("PATCH", f"{PODS}/{name}",
                                     {"metadata": {"labels": {LABEL: None}}}, MERGE)
    assert status == 200, body


def label_of(rig: FaultRig, name: str):
    return rig.access().get(f"{PODS}/{name}")["metadata"].get("labels", {}).get(LABEL)


def test_D14_fault_51_a_live_instance_that_loses_its_label_gets_it_back_and_is_counted(rig):
    total = rig.rest()["total"]
    client, _ = rig.open()
    name = rig.pods()[0]["metadata"]["name"]
    take_label(rig, name)
    wait_for(lambda: label_of(rig, name) == "dev", "the label is put back")
    assert echoes(client)
    client.end()
    assert rig.rest(total + 1)["total"] == total + 1
    wait_for(lambda: not rig.pods(), "the pod goes, its finalizer with it")


def test_D14_fault_51_one_that_loses_it_while_the_operator_is_away_is_found_by_its_name(rig):
    total = rig.rest()["total"]
    client, _ = rig.open()
    name = rig.pods()[0]["metadata"]["name"]
    operator = rig.kill("wsf-operator", signal.SIGSTOP)
    take_label(rig, name)
    os.kill(operator, signal.SIGKILL)
    wait_for(lambda: name_of(operator) != "wsf-operator", "the operator is gone")
    served_soon(rig)  # the new one asks for the same name
    wait_for(lambda: label_of(rig, name) == "dev", "the label is put back")
    client.end()
    assert rig.rest(total + 2)["total"] == total + 2


def test_D24_house_M13_P22_a_report_before_the_pods_are_listed_is_no_forgery(rig):
    total = rig.rest()["total"]
    client, _ = rig.open()
    refusing = threading.Event()
    refusing.set()

    def answer(method, path):
        if refusing.is_set() and method == "GET" and "/pods?" in path and "watch" not in path:
            return 503, {}, b""
        return None
    rig.proxy.answer = answer
    rig.kill_operator()
    wait_for(lambda: rig.pids("wsf-operator"), "the next operator runs")
    client.end()
    wait_for(lambda: sum("tokenreviews" in path for _, path in rig.proxy.requests) >= 2,
             "the report has come, more than once")
    refusing.clear()
    assert rig.rest(total + 1)["total"] == total + 1
    assert "report refused" not in rig.dev.output()


def test_D35_K33_instances_of_keys_that_were_replaced_are_of_use_again(tmp_path, programs):
    rig = FaultRig(tmp_path, programs, ["--set", "warmInstances=1", "--set", "maxInstances=1"])
    try:
        wait_for(lambda: rig.function()["status"]["free"] == 1, "one is free")
        uid = rig.pods()[0]["metadata"]["uid"]
        path = "/api/v1/namespaces/wsf-system/secrets/wsf-operator-keys"
        status, body = rig.access().call("PATCH", path, {"data": {"claim.key": None}}, MERGE)
        assert status == 200, body
        old = [rig.kill("wsf-operator"), rig.kill("wsf-gateway")]  # and nobody knows the old token
        wait_for(lambda: set(rig.pids("wsf-operator") + rig.pids("wsf-gateway")) - set(old),
                 "the next ones run")
        served_soon(rig)
        wait_for(rig.dev.records, "its record")
        assert rig.dev.records()[0]["podUid"] == uid, "the same instance"
    finally:
        rig.close()


def test_house_L1_fault_8_an_answer_that_is_older_than_the_end_brings_nothing_back(rig):
    """The answer to a create comes after the watch has told that the pod has gone."""
    held = threading.Event()
    go = threading.Event()

    def after(point):
        if point == "POST pods":
            rig.proxy.after = lambda point: None
            held.set()
            assert go.wait(60)
    rig.proxy.after = after
    client = rig.dev.request("/echo")
    assert held.wait(60)
    name = wait_for(rig.pods, "the pod is there")[0]["metadata"]["name"]
    assert rig.access().call("DELETE", f"{PODS}/{name}")[0] == 200
    wait_for(lambda: name not in [each["metadata"]["name"] for each in rig.pods()], "it is gone")
    go.set()
    assert client.receive_head().startswith("HTTP/1.1 ")
    client.reset()
    wait_for(lambda: rig.function()["status"]["instances"] == len(rig.pods()),
             "no instance is counted that is not there")
    rig.rest()


def test_house_L7_H12_a_starting_instance_whose_sidecar_is_silent_is_given_up_in_time(
        tmp_path, programs):
    """It is asked after five seconds; when its time is over, it must be asked again."""
    rig = FaultRig(tmp_path, programs, ["--set", "initTimeoutSeconds=8"],
                   {"WSF_TEST_START_MS": "1000000"})
    try:
        client = rig.dev.request("/echo")
        sidecar = wait_for(lambda: rig.pids("wsf-sidecar"), "the sidecar runs")[0]
        os.kill(sidecar, signal.SIGSTOP)
        client.sock.settimeout(40)
        assert client.receive_head().startswith("HTTP/1.1 504 ")
        os.kill(sidecar, signal.SIGKILL)
    finally:
        rig.close()


def test_house_L6_I9_a_deleted_function_leaves_no_server_that_ignores_its_end(tmp_path, programs):
    """Its pods are deleted with their own grace, 65 s; once all is said nobody waits for that."""
    script = tmp_path / "stubborn.sh"
    script.write_text("#!/bin/sh\ntrap '' TERM\nexec \"$1\"\n")
    script.chmod(0o755)
    rig = FaultRig(tmp_path, programs, command=["sh", str(script), str(programs / "wsf-test-server")])
    try:
        client, _ = rig.open()
        servers = rig.pids("wsf-test-server")
        assert rig.access().call("DELETE", FUNCTION)[0] == 200
        client.expect_close(1001, "499 function stopped")
        client.end()
        wait_for(lambda: not any(name_of(pid) for pid in servers), "the server is ended", SOON)
    finally:
        rig.close()
