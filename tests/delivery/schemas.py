# SPDX-License-Identifier: Apache-2.0
"""JSON schemas for kubeconform, made from the API description of the Kubernetes that tests/cluster
pins, from our own resource's definition and from those of the projects whose resources the chart makes."""
import json
import pathlib

import yaml


def kubernetes_description(root: pathlib.Path) -> dict:
    """The OpenAPI description that the pinned Kubernetes carries."""
    return json.loads((root / "build/cluster/bin/swagger.json").read_text())


def closed(schema):
    """The same, but an unknown field of an object is an error, as in a server's strict mode."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(value) for name, value in schema.items()}
    if "properties" in schema and "additionalProperties" not in schema and \
            not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema["additionalProperties"] = False
    if schema.pop("x-kubernetes-int-or-string", False) or schema.get("format") == "int-or-string":
        schema.pop("format", None)
        schema["type"] = ["integer", "string"]
    return schema


def write_schemas(folder: pathlib.Path, root: pathlib.Path) -> None:
    definitions = kubernetes_description(root)["definitions"]
    # Amounts may be numbers, and these stand for any JSON.
    definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"type": ["number", "string"]}
    for name in list(definitions):
        if ".JSONSchemaProps" in name or name.endswith(".v1.JSON"):
            definitions[name] = {}
    shared = folder / "definitions.json"
    text = json.dumps({"definitions": closed(definitions)}).replace('"#/definitions/',
                                                                    f'"file://{shared}#/definitions/')
    shared.write_text(text)
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            file = "-".join(part for part in (kind["kind"].lower(), group, kind["version"]) if part)
            (folder / f"{file}.json").write_text(
                json.dumps({"$ref": f"file://{shared}#/definitions/{name}"}))
    write_definition(folder, root / "deploy/crd/websocketfunctions.wsf.dev.yaml")
    for path in (root / "build/cluster/bin/foreign").iterdir():
        write_definition(folder, path)


def write_definition(folder: pathlib.Path, path: pathlib.Path) -> None:
    """Of every version of a CustomResourceDefinition."""
    definition = yaml.safe_load(path.read_text())["spec"]
    kind, group = definition["names"]["kind"].lower(), definition["group"].split(".")[0]
    for version in definition["versions"]:
        schema = closed(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        (folder / f"{kind}-{group}-{version['name']}.json").write_text(json.dumps(schema))
