# SPDX-License-Identifier: Apache-2.0
"""Flux and Argo CD agree with what a function's conditions say (K04): judged by kstatus of
sigs.k8s.io/cli-utils, and by the shipped check in the Lua that Argo CD runs it with."""
import json
import sys

import pytest
import yaml

from delivery import CLUSTER_BIN, ROOT, run

sys.path.insert(0, str(ROOT / "tests" / "tables"))
import table  # noqa: E402

CHECK = yaml.safe_load((ROOT / "deploy/samples/gitops/argocd/argocd-cm.yaml").read_text())["data"][
    "resource.customizations.health.wsf.dev_WebSocketFunction"]
STATES = table.read("health.yaml")


def merged(one: dict, other: dict) -> dict:
    both = dict(one)
    for name, value in other.items():
        is_inner = isinstance(value, dict) and isinstance(both.get(name), dict)
        both[name] = merged(both[name], value) if is_inner else value
    return both


def condition(type_: str, told: str, message: str | None = None) -> dict:
    status, reason = told.split()
    return {"type": type_, "status": status, "reason": reason, "observedGeneration": 3,
            "message": reason.lower() if message is None else message,
            "lastTransitionTime": "2026-01-01T00:00:00Z"}


def function(conditions: list[dict], more: dict | None = None) -> dict:
    made = {"apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
            "metadata": {"name": "echo", "namespace": "demo", "generation": 3},
            "spec": {"image": "echo"}}
    if conditions:
        made["status"] = {"observedGeneration": 3, "conditions": conditions}
    return merged(made, more or {})


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    script = tmp_path_factory.mktemp("argocd") / "check.lua"
    script.write_text(CHECK)

    def ask(made: dict) -> dict:
        done = run(CLUSTER_BIN / "wsf-health", script, input=json.dumps(made) + "\n")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return ask


@pytest.mark.parametrize("state", STATES, ids=lambda state: state["name"])
def test_K04_flux_and_argo_cd_say(judge, state):
    told = [condition(*each) for each in state.get("conditions", {}).items()]
    verdict = judge(function(told, state.get("object")))
    assert (verdict["kstatus"], verdict["argocd"]) == (state["kstatus"], state["argocd"])
    assert verdict["message"]


def test_K04_argo_cd_shows_what_stalls_it(judge):
    stalled = condition("Stalled", "True PullImageFailed", "cannot pull registry.example/echo:1")
    assert judge(function([stalled]))["message"] == "cannot pull registry.example/echo:1"
    nameless = condition("Stalled", "True PullImageFailed", "")
    assert judge(function([nameless]))["message"] == "PullImageFailed"
