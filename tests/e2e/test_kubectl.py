# SPDX-License-Identifier: Apache-2.0
"""What a real kubectl does with the embedded API of `wsf dev` (U20)."""
import json
import os
import subprocess

import pytest

from dev_rig import Dev, need_kubectl

SLEEP = ["/usr/bin/python3", "-c", "import time; time.sleep(1e6)"]


class Kubectl:
    def __init__(self, dev: Dev):
        need_kubectl()
        self.dev = dev

    def run(self, *arguments: str, made: dict | None = None, status: int = 0,
            env: dict | None = None) -> str:
        """What it prints, on both outputs."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.dev.ready["kubeconfig"], *arguments],
            input=json.dumps(made) if made else None, text=True, timeout=60, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == status, done.stdout
        return done.stdout

    def apply(self, made: dict, *flags: str, status: int = 0) -> str:
        return self.run("apply", "-f", "-", *flags, made=made, status=status)

    def spec(self, name: str = "f") -> dict:
        return json.loads(self.run("get", "wsf", name, "-o", "json"))["spec"]


def function(name: str = "f", **spec) -> dict:
    return {"apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
            "metadata": {"name": name}, "spec": {"command": SLEEP, **spec}}


@pytest.fixture(scope="module")
def dev(tmp_path_factory, programs):
    dev = Dev(tmp_path_factory.mktemp("kubectl") / "dev", programs, SLEEP)
    yield dev
    dev.close()


@pytest.fixture
def kubectl(dev):
    kubectl = Kubectl(dev)
    yield kubectl
    kubectl.run("delete", "wsf", "f", "--ignore-not-found")


def test_U20_K03_defaults_are_filled_in(kubectl):
    assert "created" in kubectl.apply(function())
    spec = kubectl.spec()
    assert spec["limits"] == {"profile": "current", "onRateExceeded": "Throttle"}
    assert spec["port"] == 9000 and spec["executionTimeoutSeconds"] == 7200
    assert "idleTimeoutSeconds" not in spec, "depends on the profile"
    assert "unchanged" in kubectl.apply(function())


def test_U20_K05_scale_sets_warm_instances(kubectl):
    kubectl.apply(function(initTimeoutSeconds=300))
    assert "scaled" in kubectl.run("scale", "wsf/f", "--replicas=2")
    assert kubectl.spec()["warmInstances"] == 2
    assert "scaled" in kubectl.run("scale", "wsf/f", "--replicas=0", "--current-replicas=2")
    assert kubectl.spec()["warmInstances"] == 0
    refused = kubectl.run("scale", "wsf/f", "--replicas=-1", status=1)
    assert "replicas" in refused


def test_U20_explain_tells_each_field(kubectl):
    assert "10 to 7200" in kubectl.run("explain", "wsf.spec.idleTimeoutSeconds")
    assert "onRateExceeded" in kubectl.run("explain", "wsf.spec", "--recursive")


def test_U20_wait_for_a_condition_and_for_the_end(kubectl):
    kubectl.apply(function())
    assert "condition met" in kubectl.run("wait", "wsf/f", "--for=condition=Ready", "--timeout=50s")
    kubectl.run("delete", "wsf", "f")
    kubectl.run("wait", "wsf/f", "--for=delete", "--timeout=50s")


def test_U20_edit(kubectl, tmp_path):
    kubectl.apply(function())
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/executionTimeoutSeconds: 7200/"
                      "executionTimeoutSeconds: 600/' \"$1\"\n")
    editor.chmod(0o755)
    said = kubectl.run("edit", "wsf", "f", env={**os.environ, "KUBE_EDITOR": str(editor)})
    assert "edited" in said
    assert kubectl.spec()["executionTimeoutSeconds"] == 600


def test_U20_diff_and_dry_run_change_nothing(kubectl):
    kubectl.apply(function())
    kubectl.run("diff", "-f", "-", made=function())
    told = kubectl.run("diff", "-f", "-", made=function(warmInstances=1), status=1)
    assert "+  warmInstances: 1" in told
    for flags in ((), ("--server-side", "--force-conflicts")):
        kubectl.apply(function(warmInstances=1), "--dry-run=server", *flags)
    kubectl.run("delete", "wsf", "f", "--dry-run=server")
    assert kubectl.spec()["warmInstances"] == 0
    refused = kubectl.apply(function(warmInstances=-1), "--dry-run=server", status=1)
    assert "warmInstances" in refused


def test_U20_K09_what_a_manager_drops_is_removed_and_what_others_set_stays(kubectl):
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    kubectl.apply(function(env=env, idleTimeoutSeconds=60), "--server-side")
    kubectl.run("scale", "wsf/f", "--replicas=1")
    assert "serverside-applied" in kubectl.apply(function(env=env[1:]), "--server-side")
    spec = kubectl.spec()
    assert spec["env"] == env[1:] and "idleTimeoutSeconds" not in spec
    assert spec["warmInstances"] == 1, "of another manager"


def test_U20_two_managers_of_one_field_are_a_conflict_until_it_is_forced(kubectl):
    kubectl.apply(function(executionTimeoutSeconds=60), "--server-side", "--field-manager=first")
    said = kubectl.apply(function(executionTimeoutSeconds=90), "--server-side",
                         "--field-manager=second", status=1)
    assert ".spec.executionTimeoutSeconds" in said and '"first"' in said
    assert kubectl.spec()["executionTimeoutSeconds"] == 60
    kubectl.apply(function(executionTimeoutSeconds=90), "--server-side", "--field-manager=second",
                  "--force-conflicts")
    assert kubectl.spec()["executionTimeoutSeconds"] == 90
    # The first has lost it: what it no longer applies stays.
    kubectl.apply(function(), "--server-side", "--field-manager=first")
    assert kubectl.spec()["executionTimeoutSeconds"] == 90


def test_U20_K09_client_side_apply_and_then_server_side_apply(kubectl):
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    kubectl.apply(function(env=env))
    kubectl.apply(function(env=env), "--server-side")
    kubectl.apply(function(env=env[1:]), "--server-side")
    assert kubectl.spec()["env"] == env[1:]
    kubectl.apply(function(env=env))
    assert kubectl.spec()["env"] == env


def test_U20_applied_twice_changes_nothing(kubectl):
    kubectl.apply(function(), "--server-side")
    version = json.loads(kubectl.run("get", "wsf", "f", "-o", "json"))["metadata"]
    kubectl.run("wait", "wsf/f", "--for=condition=Ready", "--timeout=50s")
    kubectl.apply(function(), "--server-side")
    after = json.loads(kubectl.run("get", "wsf", "f", "-o", "json"))["metadata"]
    assert after["generation"] == version["generation"] == 1
