# SPDX-License-Identifier: Apache-2.0
"""install.yaml and the chart, installed on a real API server of their own."""
import base64
import copy
import json
import subprocess

import pytest
import yaml

from apiserver import ApiServer
from kubectl import ROOT, TOOLS, Refused, function, wait_for

SYSTEM = "wsf-system"
CHART = ROOT / "charts" / "wsf"
SECRETS = ("wsf-operator-keys", "wsf-gateway-tls")
OPERATOR = f"system:serviceaccount:{SYSTEM}:wsf-operator"
GATEWAY = f"system:serviceaccount:{SYSTEM}:wsf-gateway"


@pytest.fixture
def empty(tmp_path):
    """An API server that has heard nothing of us: nobody ends a namespace here, so each test has
    one of its own."""
    api = ApiServer(tmp_path / "api")
    yield api
    api.close()


def kustomize(folder: str) -> str:
    return subprocess.run([TOOLS / "kubectl", "kustomize", ROOT / "deploy" / folder], check=True,
                          capture_output=True, text=True).stdout


class Release:
    """One release of the chart, by the real helm."""

    def __init__(self, api):
        self.api = api

    def helm(self, verb: str, *words: str, values: dict | None = None) -> str:
        inputs = [] if values is None else ["--values", "-"]
        done = subprocess.run(
            [TOOLS / "helm", "--kubeconfig", self.api.kubectl.kubeconfig, "--namespace", SYSTEM,
             verb, "wsf", *words, *inputs], capture_output=True, text=True, timeout=120,
            input=json.dumps(values or {}))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self, values: dict | None = None) -> str:
        out = self.helm("install", str(CHART), "--create-namespace", values=values or {})
        wait_for(lambda: "websocketfunctions" in self.api.kubectl("api-resources"), "it is served")
        return out

    def uninstall(self) -> None:
        # The hook is a pod: the tests on a node run it.
        self.helm("uninstall", "--no-hooks")


@pytest.fixture
def installed(empty):
    """dist/install.yaml as a user applies it."""
    text = kustomize("default")

    def apply() -> str:
        return empty.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    apply()
    wait_for(lambda: "websocketfunctions" in empty.kubectl("api-resources"), "it is served")
    return apply, text


@pytest.fixture
def release(empty):
    return Release(empty)


def versions(api) -> dict:
    """resourceVersion of all that install.yaml brings."""
    found = {}
    for kinds in ("deployments,services,secrets,serviceaccounts,roles,rolebindings",
                  "clusterroles,clusterrolebindings,crd"):
        for each in api.kubectl.get(kinds, "-n", SYSTEM)["items"]:
            meta = each["metadata"]
            if meta.get("labels", {}).get("app.kubernetes.io/part-of") == "wsf" or \
                    "wsf" in meta["name"]:
                found[each["kind"], meta["name"]] = meta["resourceVersion"]
    return found


def fill(api) -> None:
    """What the operator does with the Secrets: update."""
    for name in SECRETS:
        secret = api.kubectl.get("secret", name, "-n", SYSTEM)
        secret["data"] = {"tls.key": base64.b64encode(b"filled").decode()}
        api.kubectl("replace", "-f", "-", stdin=json.dumps(secret))


def is_filled(api) -> bool:
    return all(api.kubectl.get("secret", name, "-n", SYSTEM).get("data") for name in SECRETS)


def may(api, who: str, verb: str, what: str, namespace: str) -> bool:
    answer = api.kubectl("auth", "can-i", verb, what, "-n", namespace, "--as", who, status=(0, 1))
    return answer.strip() == "yes"


def test_K53_applying_twice_changes_nothing_and_the_diff_is_empty(empty, installed):
    apply, text = installed
    before = versions(empty)
    assert len(before) > 15
    apply()
    assert versions(empty) == before
    assert empty.kubectl("diff", "--server-side", "-f", "-", stdin=text) == ""


def test_K33_K53_filled_secrets_survive_an_apply_and_make_no_diff(empty, installed):
    apply, text = installed
    fill(empty)
    assert empty.kubectl("diff", "--server-side", "-f", "-", stdin=text) == ""
    apply()
    assert is_filled(empty)


def test_K52_the_server_takes_all_samples(empty, installed):
    for flags in (["--server-side"], []):
        said = empty.kubectl("apply", "--dry-run=server", *flags, "-f", "-",
                             stdin=kustomize("samples"))
        assert said.count("websocketfunction.wsf.dev/") == 3


def as_pods(text: str) -> list[dict]:
    pods = []
    for each in yaml.safe_load_all(text):
        if each and each["kind"] in ("Deployment", "Job", "Pod"):
            spec = each["spec"] if each["kind"] == "Pod" else each["spec"]["template"]["spec"]
            pods.append({"apiVersion": "v1", "kind": "Pod",
                         "metadata": {"name": each["metadata"]["name"]}, "spec": copy.deepcopy(spec)})
    return pods


def test_K21_our_own_pods_pass_pod_security_restricted(empty, installed):
    namespace = empty.namespace("restricted", **{"pod-security.kubernetes.io/enforce": "restricted"})
    rendered = subprocess.run([TOOLS / "helm", "template", "wsf", CHART, "--kube-version", "1.34.0"],
                              check=True, capture_output=True, text=True).stdout
    pods = as_pods(kustomize("default")) + as_pods(rendered)
    assert len(pods) == 6
    for pod in pods:
        pod["spec"].pop("serviceAccountName", None)  # this namespace has none of ours
        # Jobs and Deployments have their own defaults.
        pod["spec"].setdefault("restartPolicy", "Always")
        empty.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-",
                      stdin=json.dumps(pod))
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(Refused, match="restricted"):
        empty.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-",
                      stdin=json.dumps(pod))


def test_K51_an_upgrade_keeps_filled_secrets_and_functions(empty, release):
    release.install()
    fill(empty)
    empty.kubectl.apply(function("echo", SYSTEM, image="echo:1"))
    uid = empty.kubectl.get("wsf", "echo", "-n", SYSTEM)["metadata"]["uid"]
    release.helm("upgrade", str(CHART), values={"gateway": {"replicas": 3}})
    deployment = empty.kubectl.get("deployment", "wsf-gateway", "-n", SYSTEM)
    assert deployment["spec"]["replicas"] == 3
    assert is_filled(empty)
    assert empty.kubectl.get("wsf", "echo", "-n", SYSTEM)["metadata"]["uid"] == uid


def test_K51_K53_an_upgrade_to_the_same_changes_nothing(empty, release):
    release.install()
    fill(empty)

    def without_helms(found: dict) -> dict:
        # helm's own Secrets, one a revision.
        return {key: value for key, value in found.items() if "sh.helm" not in key[1]}
    before = without_helms(versions(empty))
    release.helm("upgrade", str(CHART), values={})
    assert without_helms(versions(empty)) == before


def test_K51_an_uninstall_keeps_the_definition_and_the_functions_and_can_be_undone(empty, release):
    release.install()
    empty.kubectl.apply(function("echo", SYSTEM, image="echo:1"))
    release.uninstall()
    assert empty.kubectl.find("deployment", "wsf-operator", "-n", SYSTEM) is None
    assert empty.kubectl.find("secret", "wsf-operator-keys", "-n", SYSTEM) is None
    assert empty.kubectl.get("wsf", "echo", "-n", SYSTEM)
    release.install()
    assert empty.kubectl.get("wsf", "echo", "-n", SYSTEM)


def test_K30_K31_a_release_grants_what_it_says(empty, release):
    release.install()
    assert may(empty, OPERATOR, "list", "websocketfunctions.wsf.dev", "chat")
    assert may(empty, OPERATOR, "create", "pods", "chat")
    assert may(empty, OPERATOR, "update", "secrets/wsf-operator-keys", SYSTEM)
    assert not may(empty, OPERATOR, "list", "secrets", SYSTEM)
    assert not may(empty, OPERATOR, "get", "secrets/other", SYSTEM)
    assert not may(empty, OPERATOR, "update", "websocketfunctions.wsf.dev", "chat")
    assert not may(empty, GATEWAY, "list", "websocketfunctions.wsf.dev", "chat")


def test_K30_a_namespaced_release_grants_it_there_only(empty, release):
    empty.namespace("chat")
    release.install({"namespaces": ["chat"]})
    assert may(empty, OPERATOR, "create", "pods", "chat")
    assert not may(empty, OPERATOR, "create", "pods", "default")
    assert not may(empty, OPERATOR, "list", "websocketfunctions.wsf.dev", SYSTEM)
    assert may(empty, OPERATOR, "create", "tokenreviews.authentication.k8s.io", SYSTEM)
