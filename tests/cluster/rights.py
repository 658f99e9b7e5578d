# SPDX-License-Identifier: Apache-2.0
"""What deploy/ grants, under the name of another namespace."""
import subprocess

import yaml

from kubectl import ROOT, TOOLS

OPERATOR = "wsf-operator"
ACCOUNT = f"system:serviceaccount:{{}}:{OPERATOR}"
SECRETS = ("wsf-operator-keys", "wsf-gateway-tls")


def manifests(folder: str) -> list[dict]:
    text = subprocess.run([str(TOOLS / "kubectl"), "kustomize", str(ROOT / "deploy" / folder)],
                          check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(text))


def rights_of(system: str, namespaces: list[str] | None = None) -> list[dict]:
    """The objects of deploy/rbac for an installation in `system`; with `namespaces`, what the
    operator does with functions is granted in these alone."""
    objects = []
    for each in manifests("rbac"):
        if "namespace" in each["metadata"]:
            each["metadata"]["namespace"] = system
        for subject in each.get("subjects", []):
            subject["namespace"] = system
        name = each["metadata"]["name"]
        if each["kind"] == "ClusterRoleBinding":
            each["metadata"]["name"] = f"{name}-{system}"
        if namespaces is not None and each["kind"] == "ClusterRoleBinding" and name == "wsf-operator":
            objects += [{**each, "kind": "RoleBinding",
                         "metadata": {"name": f"{name}-{system}", "namespace": namespace}}
                        for namespace in namespaces]
        else:
            objects.append(each)
    return objects


def secrets_of(system: str) -> list[dict]:
    return [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": system}}
            for name in SECRETS]


def granted(system: str) -> set[tuple[str, str]]:
    """(verb, resource) of everything that the operator may do."""
    pairs = set()
    for each in rights_of(system):
        if each["kind"] in ("ClusterRole", "Role") and each["metadata"]["name"].startswith(
                "wsf-operator"):
            pairs |= {(verb, resource) for rule in each["rules"] for verb in rule["verbs"]
                      for resource in rule["resources"]}
    return pairs
