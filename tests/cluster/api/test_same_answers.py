# SPDX-License-Identifier: Apache-2.0
"""The embedded API of `wsf dev` and a real API server answer one list of requests alike (G28)."""
import json
import os
import pathlib
import signal

import pytest
import yaml

from dev_rig import Dev
from kube_access import KubeAccess
from kubectl import ROOT

REQUESTS = yaml.safe_load((ROOT / "tests" / "tables" / "api_requests.yaml").read_text())
SPACE = "same"
FUNCTIONS = f"/apis/wsf.dev/v1alpha1/namespaces/{SPACE}/websocketfunctions"
# What one server gives one object; who has managed a field, and when, is compared by what an apply
# does with it.
OWN = {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "managedFields",
       "deletionGracePeriodSeconds"}


def outline(answer: tuple[int, dict], request: dict) -> dict:
    """What of an answer must be the same."""
    status, body = answer
    if body.get("kind") == "Status" and body.get("status") == "Failure":
        return {"status": status, "reason": body.get("reason", ""), "code": body["code"]}
    if "items" in body:
        return {"status": status, "kind": body["kind"],
                "items": sorted(each.get("spec", {}).get("image", each["metadata"]["name"])
                                for each in body["items"])}
    if body.get("kind") == "Status":  # a delete that is done
        return {"status": status, "kind": "Status"}
    metadata = {key: value for key, value in body["metadata"].items() if key not in OWN}
    if request.get("generated"):
        assert metadata.pop("name").startswith(metadata["generateName"])
    # Of `status` there is an operator's on one side.
    status_of_scale = body.get("status", {}).get("replicas") if body["kind"] == "Scale" else None
    return {"status": status, "kind": body["kind"], "apiVersion": body["apiVersion"],
            "metadata": metadata, "replicas": status_of_scale,
            **{part: body.get(part) for part in ("spec", "data", "reason", "message", "count")}}


def filled(value, kept: dict):
    """With what has been kept in place of $name.field."""
    if isinstance(value, dict):
        return {key: filled(each, kept) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, kept) for each in value]
    if isinstance(value, str) and value.startswith("$"):
        name, _, field = value[1:].partition(".")
        return kept[name][field]
    return value


def ask(access: KubeAccess, verb: str, path: str, body, content_type: str) -> tuple[int, dict]:
    try:
        return access.call(verb, path, body, content_type)
    except json.JSONDecodeError:  # where an API server answers in words
        return 404, {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}


def events(access: KubeAccess, path: str) -> dict[str, str]:
    """The first that a watch tells of each object: an operator's writes come on one side only."""
    connection = access.connect()
    connection.request("GET", path)
    answer = connection.getresponse()
    lines = [json.loads(line) for line in answer.read().splitlines()]
    connection.close()
    if answer.status != 200:
        return {"status": str(answer.status)}
    first: dict[str, str] = {}
    for line in lines:
        metadata = line["object"]["metadata"]
        first.setdefault(metadata.get("generateName", metadata.get("name", "")), line["type"])
    return first


def answers(access: KubeAccess) -> dict[str, dict]:
    kept: dict[str, dict] = {}
    found = {}
    for request in REQUESTS:
        path = request["at"].replace("F", FUNCTIONS, 1) if request["at"][0] == "F" else request["at"]
        for name, metadata in kept.items():
            path = path.replace(f"${name}.resourceVersion", metadata["resourceVersion"])
        if request.get("events"):
            found[request["name"]] = events(access, path)
            continue
        answer = ask(access, request["do"], path, filled(request.get("body"), kept),
                     request.get("type", "application/json"))
        if "keep" in request:
            kept[request["keep"]] = answer[1]["metadata"]
        found[request["name"]] = outline(answer, request)
    return found


@pytest.fixture(scope="module")
def both(api, tmp_path_factory, programs):
    folder = tmp_path_factory.mktemp("same")
    api.namespace(SPACE)
    (folder / "real").mkdir()
    real = answers(KubeAccess(api.authority.folder / "admin.kubeconfig", folder / "real"))
    dev = Dev(folder / "dev", programs, ["/bin/sleep", "1000000"])
    try:
        access = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), folder)
        access.call("POST", "/api/v1/namespaces", {"metadata": {"name": SPACE}})
        # It writes statuses, on one side only: versions that are kept would be old ones.
        os.kill(dev.ready["operatorPid"], signal.SIGSTOP)
        embedded = answers(access)
    finally:
        os.kill(dev.ready["operatorPid"], signal.SIGCONT)
        dev.close()
    return real, embedded


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: each["name"])
def test_G28_U20_both_answer_alike(both, request_):
    real, embedded = (each[request_["name"]] for each in both)
    if "differs" in request_:
        assert real != embedded, "a difference less: strike it from the list"
    else:
        assert embedded == real, json.dumps({"real": real, "embedded": embedded}, indent=1)
