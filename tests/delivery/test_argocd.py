# SPDX-License-Identifier: Apache-2.0
"""The health check of deploy/samples/gitops/argocd, run by a real Lua."""
import pathlib

import pytest
import yaml

from delivery import ROOT, run

CHECK = yaml.safe_load((ROOT / "deploy/samples/gitops/argocd/argocd-cm.yaml").read_text())["data"][
    "resource.customizations.health.wsf.dev_WebSocketFunction"]


def condition(type: str, status: str, message: str = "why", reason: str = "Because") -> dict:
    return {"type": type, "status": status, "message": message, "reason": reason,
            "observedGeneration": 2}


def function(*conditions, generation: int = 2, observed: int = 2, spec: dict | None = None) -> dict:
    return {"metadata": {"generation": generation}, "spec": spec or {"image": "echo"},
            "status": {"observedGeneration": observed, "conditions": list(conditions)}}


def lua(value) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"[{lua(name)}]={lua(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(lua(each) for each in value) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def health(obj: dict, tmp_path: pathlib.Path) -> tuple[str, str]:
    script = tmp_path / "check.lua"
    script.write_text(f"obj = {lua(obj)}\nlocal function check()\n{CHECK}\nend\n"
                      'local hs = check()\nprint(hs.status)\nprint(hs.message)\n')
    done = run("lua5.4", script)
    assert done.returncode == 0, done.stderr
    status, message = done.stdout.splitlines()
    return status, message


CASES = {
    "never looked at": ({"metadata": {"generation": 1}, "spec": {"image": "x"}}, "Progressing"),
    "no conditions yet": ({"metadata": {"generation": 1}, "spec": {"image": "x"},
                           "status": {"observedGeneration": 1}}, "Progressing"),
    "an older generation": (function(condition("Ready", "True"), observed=1), "Progressing"),
    "ready": (function(condition("Ready", "True"), condition("Reconciling", "False"),
                       condition("Stalled", "False")), "Healthy"),
    "a new revision rolls out": (function(condition("Ready", "True"),
                                          condition("Reconciling", "True")), "Progressing"),
    "stalled": (function(condition("Ready", "False"), condition("Stalled", "True")), "Degraded"),
    "stalled but it still serves": (function(condition("Ready", "True"),
                                             condition("Stalled", "True")), "Degraded"),
    "not ready": (function(condition("Ready", "False")), "Progressing"),
    "suspended": (function(condition("Ready", "False", "spec.suspend is true"),
                           spec={"image": "x", "suspend": True}), "Suspended"),
}


@pytest.mark.parametrize("obj, expected", CASES.values(), ids=CASES)
def test_k04_argo_cd_says(tmp_path, obj, expected):
    status, message = health(obj, tmp_path)
    assert status == expected
    assert message


def test_k04_argo_cd_shows_what_stalls_it(tmp_path):
    stalled = condition("Stalled", "True", "cannot pull registry.example/echo:1")
    assert health(function(stalled), tmp_path)[1] == "cannot pull registry.example/echo:1"
    nameless = condition("Stalled", "True", "", "PullImageFailed")
    assert health(function(nameless), tmp_path)[1] == "PullImageFailed"
