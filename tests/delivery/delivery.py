# SPDX-License-Identifier: Apache-2.0
"""The tools that render manifests, as a user runs them."""
import json
import os
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).parent.parent.parent
CLUSTER_BIN = pathlib.Path(os.environ.get("WSF_CLUSTER_BIN", ROOT / "build" / "cluster" / "bin"))
# A helm that is built from its Go module does not know which Kubernetes is current.
KUBE_VERSION = "1.34.0"


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=120, **options)


def documents(text: str) -> list[dict]:
    return [each for each in yaml.safe_load_all(text) if each]


def named(objects: list[dict], kind: str, name: str) -> dict:
    found = [each for each in objects
             if each["kind"] == kind and each["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def kustomize(folder: str, root: pathlib.Path = ROOT / "deploy") -> str:
    done = run(CLUSTER_BIN / "kubectl", "kustomize", root / folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pods_of(objects: list[dict]) -> list[dict]:
    """The pod specs of all workloads, with their names."""
    specs = []
    for each in objects:
        if each["kind"] == "Pod":
            specs.append((each["metadata"]["name"], each["spec"]))
        elif each["kind"] in ("Deployment", "Job"):
            specs.append((each["metadata"]["name"], each["spec"]["template"]["spec"]))
    return specs


class Chart:
    path = ROOT / "charts" / "wsf"

    def template(self, values: dict | None = None, namespace: str = "wsf-system"):
        return run(CLUSTER_BIN / "helm", "template", "wsf", self.path, "--namespace", namespace,
                   "--kube-version", KUBE_VERSION, "--values", "-", input=json.dumps(values or {}))

    def text(self, values: dict | None = None, namespace: str = "wsf-system") -> str:
        done = self.template(values, namespace)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, values: dict | None = None, namespace: str = "wsf-system") -> list[dict]:
        return documents(self.text(values, namespace))
