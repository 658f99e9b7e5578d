# SPDX-License-Identifier: Apache-2.0
"""An uninstall in the wrong order: nothing hangs, or one command of docs/operations.md lets it go (K51)."""
import os
import re
import subprocess

import pytest

from apiserver import ApiServer
from kubectl import ROOT, TOOLS, Kubectl, function, wait_for
from replica import Replica

CRD = ROOT / "deploy" / "crd" / "websocketfunctions.wsf.dev.yaml"
IMAGE = "localhost/none:1"
COMMANDS = re.findall(r"^kubectl get pods -A .*$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)


@pytest.fixture
def own(tmp_path):
    """An API server of the test's own: others need the resource."""
    api = ApiServer(tmp_path / "api")
    api.kubectl("apply", "--server-side", "-f", str(CRD))
    wait_for(lambda: "websocketfunctions" in api.kubectl("api-resources"), "the CRD is served")
    yield api
    api.close()


def two_pods(api, namespace: str) -> list[dict]:
    api.kubectl.apply(function("f", namespace, image=IMAGE, warmInstances=2))
    return wait_for(lambda: len(found := api.kubectl.pods(namespace)) == 2 and found, "two pods")


def free_by_hand(kubectl: Kubectl) -> None:
    command, = COMMANDS
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True, timeout=100,
                   env={**os.environ, "KUBECONFIG": str(kubectl.kubeconfig), "PATH": f"{TOOLS}:{os.environ['PATH']}"})


def test_K51_the_operator_first(api, replicas, namespace):
    """Its namespace, say: pods that are deleted wait for it, until somebody lets them go."""
    replica = replicas().await_leading()
    two_pods(api, namespace)
    replica.close()
    api.kubectl("delete", "pods", "--all", "-n", namespace, "--wait=false", "--grace-period=0", "--force")
    assert len(api.kubectl.pods(namespace)) == 2
    free_by_hand(api.kubectl)
    assert api.kubectl.pods(namespace) == []


def test_K51_K10_the_resource_first_and_the_operator_lives(own, programs, tmp_path):
    """The functions go with it. No controller runs here: the test collects the garbage."""
    system = own.install("wsf-first")
    own.namespace("space")
    replica = Replica(own, programs, tmp_path, system)
    try:
        replica.await_leading()
        two_pods(own, "space")
        own.kubectl("delete", "crd", "websocketfunctions.wsf.dev", "--timeout=60s")
        own.kubectl("delete", "pods", "--all", "-n", "space", "--wait=false", "--grace-period=0", "--force")
        wait_for(lambda: own.kubectl.pods("space") == [], "no pod is left")
        assert replica.process.poll() is None
    finally:
        replica.close()


def test_K51_K10_the_resource_first_and_another_operator_comes(own, programs, tmp_path):
    system = own.install("wsf-first")
    own.namespace("space")
    first = Replica(own, programs, tmp_path, system)
    try:
        first.await_leading()
        two_pods(own, "space")
    finally:
        first.close()
    own.kubectl("delete", "crd", "websocketfunctions.wsf.dev", "--timeout=60s")
    own.kubectl("delete", "pods", "--all", "-n", "space", "--wait=false", "--grace-period=0", "--force")
    own.kubectl("apply", "--server-side", "-f", str(CRD))  # installed again
    second = Replica(own, programs, tmp_path, system)
    try:
        wait_for(lambda: own.kubectl.pods("space") == [], "no pod is left")
    finally:
        second.close()
