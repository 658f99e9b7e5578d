# SPDX-License-Identifier: Apache-2.0
"""The definition of WebSocketFunction, as the API server enforces it and kubectl shows it."""
import pathlib

import pytest

import table
from dev_rig import Dev
from kube_access import MERGE, KubeAccess
from kubectl import function

CASES = table.read("functions.yaml")
SPACE = "decided"
FUNCTIONS = f"/apis/wsf.dev/v1alpha1/namespaces/{SPACE}/websocketfunctions"
DRY = "dryRun=All&fieldValidation=Strict"
JSON_PATCH = "application/json-patch+json"


@pytest.fixture(scope="module")
def real(api, tmp_path_factory):
    api.namespace(SPACE)
    return KubeAccess(api.authority.folder / "admin.kubeconfig", tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory, programs):
    folder = tmp_path_factory.mktemp("embedded")
    dev = Dev(folder / "dev", programs, ["/bin/sleep", "1000000"])
    access = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), folder)
    access.call("POST", "/api/v1/namespaces", {"metadata": {"name": SPACE}})
    yield access
    dev.close()


def decide(access: KubeAccess, case: dict) -> str:
    """What the server has against a case; "" = nothing."""
    name = case.get("called", "f")
    made = {**function(name, SPACE), "spec": case["spec"]}
    if "from" not in case:
        status, answer = access.call("POST", f"{FUNCTIONS}?{DRY}", made)
        return "" if status == 201 else answer["message"]
    status, before = access.call("POST", FUNCTIONS, {**made, "spec": case["from"]})
    assert status == 201, before
    try:
        status, answer = access.call("PATCH", f"{FUNCTIONS}/{name}?{DRY}", [
            {"op": "replace", "path": "/spec", "value": case["spec"]}], JSON_PATCH)
        return "" if status == 200 else answer["message"]
    finally:
        access.call("DELETE", f"{FUNCTIONS}/{name}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_K01_K02_both_servers_decide_as_the_table_says(real, embedded, case):
    for server, access in (("real", real), ("embedded", embedded)):
        refusal = decide(access, case)
        # On one machine a command runs without an image.
        expected = "" if case.get("onOneMachine") and server == "embedded" else case.get("refused", "")
        assert bool(refusal) == bool(expected), f"{server}: {refusal}"
        assert expected in refusal, f"{server}: {refusal}"


@pytest.mark.parametrize("status", table.read("malformed_statuses.yaml"), ids=str)
def test_D21_S19_a_malformed_status_cannot_pass(api, namespace, real, status):
    api.kubectl.apply(function("f", namespace, image="a"))
    at = f"/apis/wsf.dev/v1alpha1/namespaces/{namespace}/websocketfunctions/f/status"
    counted = {"total": 2, "byCode": {"200": 1, "456": 1}}
    real.call("PATCH", at, {"status": {"sessions": counted}}, MERGE)
    answer, body = real.call("PATCH", at, {"status": status}, MERGE)
    assert answer in (400, 422), body
    assert real.call("GET", at)[1]["status"]["sessions"] == counted


def test_K03_defaults_are_filled_in_and_nothing_of_ours_changes_them(api, namespace):
    api.kubectl.apply(function("f", namespace, image="a"))
    spec = api.kubectl.get("wsf", "f", "-n", namespace)["spec"]
    assert spec["limits"] == {"profile": "current", "onRateExceeded": "Throttle"}
    assert spec["closePolicy"]["idleTimeout"] == "Close"
    assert "idleTimeoutSeconds" not in spec, "depends on the profile"


def test_K05_scale_sets_warm_instances(api, namespace):
    api.kubectl.apply(function("f", namespace, image="a"))
    api.kubectl("scale", "wsf/f", "-n", namespace, "--replicas=3")
    assert api.kubectl.get("wsf", "f", "-n", namespace)["spec"]["warmInstances"] == 3


def test_K06_the_columns(api, namespace):
    api.kubectl.apply(function("f", namespace, image="a"))
    head = api.kubectl("get", "wsf", "-n", namespace).splitlines()[0].split()
    assert head == ["NAME", "URL", "LIVE", "FREE", "WAITING", "READY", "REASON", "AGE"]
    wide = api.kubectl("get", "wsf", "-n", namespace, "-o", "wide").splitlines()[0].split()
    assert wide[8:] == ["SESSIONS", "FAILED", "IMAGE", "REVISION"]


def test_K01_every_field_is_explained(api):
    text = api.kubectl("explain", "wsf.spec", "--recursive")
    assert "idleTimeoutSeconds" in text and "closePolicy" in text
    assert "10 to 7200" in api.kubectl("explain", "wsf.spec.idleTimeoutSeconds")


def test_K09_server_side_and_client_side_apply_one_after_the_other(api, namespace):
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    first = function("f", namespace, image="a", env=env)
    api.kubectl.apply(first)
    api.kubectl.apply(first, flags=("--server-side=false",))
    first["spec"]["env"] = env[1:]
    api.kubectl.apply(first, flags=("--server-side=false",))
    api.kubectl.apply(first, flags=("--server-side", "--force-conflicts"))
    assert api.kubectl.get("wsf", "f", "-n", namespace)["spec"]["env"] == env[1:]


def test_K53_applied_twice_changes_nothing(api, namespace):
    made = function("f", namespace, image="a")
    api.kubectl.apply(made)
    before = api.kubectl.get("wsf", "f", "-n", namespace)["metadata"]["resourceVersion"]
    api.kubectl.apply(made)
    assert api.kubectl.get("wsf", "f", "-n", namespace)["metadata"]["resourceVersion"] == before
