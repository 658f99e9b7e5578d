# SPDX-License-Identifier: Apache-2.0
"""The pod that a function gets which asks for nothing, and what of another pod differs from it."""
import json

import table

# Of one installation.
KEYS = {"WSF_OPERATOR_CA", "WSF_RELAY_CERT", "WSF_RELAY_KEY"}


def shape(pod: dict) -> dict:
    """What a pod is, with stand-ins for what each has of its own."""
    metadata = pod["metadata"]
    labels = metadata["labels"]
    text = json.dumps({
        "metadata": {key: metadata[key] for key in ("labels", "annotations", "finalizers", "ownerReferences")},
        "spec": pod["spec"]})
    for value, name in ((metadata["name"], "NAME"), (labels["wsf.dev/revision"], "REVISION"),
                        (metadata["namespace"], "NAMESPACE")):
        text = text.replace(f'"{value}"', f'"{name}"')
    made = json.loads(text)
    for owner in made["metadata"]["ownerReferences"]:
        owner["uid"] = "UID"
    for container in made["spec"]["initContainers"] + made["spec"]["containers"]:
        for each in container["env"]:
            if each["name"] in KEYS:
                each["value"] = "KEY"
        for number, each in enumerate(container.get("args", [])):
            if each.startswith("--operator="):
                container["args"][number] = "--operator=OPERATOR"
    return made


def leaves(value, path: str = "") -> dict[str, object]:
    """By path; an item of a list by its name, where it has one."""
    if isinstance(value, dict) and value:
        parts = value.items()
    elif isinstance(value, list) and value:
        parts = ((each["name"] if isinstance(each, dict) and "name" in each else number, each)
                 for number, each in enumerate(value))
    else:
        return {path: value}
    return {name: leaf for key, each in parts for name, leaf in leaves(each, f"{path}/{key}").items()}


def differences(pod: dict, golden: dict) -> list[str]:
    """Paths that one of the two has alone, or with another value."""
    ours, theirs = leaves(shape(pod)), leaves(golden)
    return sorted(path for path in ours.keys() | theirs.keys()
                  if path not in ours or path not in theirs or ours[path] != theirs[path])


def read() -> dict:
    return table.read("golden_pod.yaml")
