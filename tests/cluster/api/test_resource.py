# SPDX-License-Identifier: Apache-2.0
"""The definition of WebSocketFunction, as the API server enforces it and kubectl shows it."""
import json

import pytest
import yaml

from kubectl import ROOT, Refused, function

CASES = yaml.safe_load((ROOT / "tests" / "tables" / "functions.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_K01_K02_the_api_server_decides_as_the_table_says(api, namespace, case):
    made = function(case.get("called", "f"), namespace, **case["spec"])
    try:
        api.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-",
                    stdin=json.dumps(made))
        refused = ""
    except Refused as error:
        refused = str(error)
    assert bool(refused) == ("refused" in case), refused
    assert not refused or case["refused"] in refused


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
