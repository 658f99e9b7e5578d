# SPDX-License-Identifier: Apache-2.0
"""What of the answers of two API servers must be the same: all but what each object has of its own.
Requests are compared in the order of their kind and place: a client sends some of them at once."""
import json
import re
import urllib.parse

from recorder import Exchange

# What one server gives one object.
OWN = {"uid", "resourceVersion", "time", "remainingItemCount", "continue"}
# Refusals whose words are those of each server: of ours, that name field and range (K02).
OWN_WORDS = (400, 422, 500)
# A watch says when it would end, a list where it goes on: by chance, or by version.
OWN_QUERY = {"resourceVersion", "timeoutSeconds", "timeout", "continue"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
AGE = re.compile(r"^(\d+[dhms])+$|^<unknown>$")
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
GENERATED = re.compile(r"\bmany-\w{5}\b")


def without_own(value, name: str = ""):
    """Times are all the same one, so that it stays visible that there is one."""
    if name == "managedFields":
        entries = [without_own(each) for each in value]
        return sorted(entries, key=lambda each: json.dumps(each, sort_keys=True))
    if name == "fieldsV1":
        return fields_of(value)
    if isinstance(value, dict):
        kept = {key: without_own(each, key) for key, each in value.items()
                if key not in OWN and each is not None}
        # Of what kind each is says the list.
        for each in kept.get("items", []) if str(value.get("kind")).endswith("List") else []:
            each.pop("apiVersion", None)
            each.pop("kind", None)
        return kept
    if name == "columnDefinitions":  # Kubernetes' own are told at length
        return [{**each, "description": ""} for each in value]
    if isinstance(value, list):
        return [without_own(each) for each in value]
    if isinstance(value, str):
        return "AGE" if AGE.match(value) else own_names(value)
    return value


def own_names(text: str) -> str:
    return GENERATED.sub("GENERATED", UID.sub("UID", TIME.sub("TIME", text)))


def fields_of(tree: dict) -> dict:
    """Of fieldsV1; that of a map or a list itself ('.') says no more than what is in it."""
    return {key: fields_of(each) for key, each in tree.items() if key != "."}


def is_of_an_object(exchange: Exchange) -> bool:
    """Not of discovery, which tells of all that a server has."""
    parts = urllib.parse.urlsplit(exchange.target).path.strip("/").split("/")
    return parts[0] in ("api", "apis") and len(parts) > (2 if parts[0] == "api" else 3)


def outline(exchange: Exchange) -> dict:
    split = urllib.parse.urlsplit(exchange.target)
    query = {key: "" if key in OWN_QUERY else ",".join(sorted(own_names(value).split(",")))
             for key, value in urllib.parse.parse_qsl(split.query)}
    asked = {"do": exchange.method, "at": own_names(split.path), "query": query,
             "type": exchange.content_type}
    if query.get("watch"):
        # How far it was read when the client left, and bookmarks, are by chance.
        return {**asked, "status": exchange.status}
    try:
        answer = without_own(json.loads(exchange.answer))
    except ValueError:
        answer = exchange.answer  # words
    if exchange.status in OWN_WORDS and isinstance(answer, dict):
        answer = {key: answer.get(key) for key in ("kind", "status", "reason", "code")}
    return {**asked, "status": exchange.status, "warnings": exchange.warnings, "answer": answer}


def plain(text: str) -> str:
    """What a client has said, without what is of one server or of one moment."""
    text = re.sub(r"https://127\.0\.0\.1:\d+", "SERVER", own_names(text))
    # client-go's own log, and the times of files that it compares.
    text = re.sub(r"(?m)^[IWE]\d{4} .*\n|^(---|\+\+\+) .*\n", "", text)
    text = re.sub(r"(?m)^(\s*(uid|resourceVersion|UID|Resource Version|Creation Timestamp|Time):\s).*$",
                  r"\1-", text)
    text = re.sub(r'("(uid|resourceVersion)": )"[^"]*"', r'\1"-"', text)
    text = re.sub(r"/tmp/\S*|pid \d+", "-", text)
    text = re.sub(r"\b\d+[dhms](\d+[ms])?\b(?= *$|  )|<unknown>", "AGE", text, flags=re.MULTILINE)
    return re.sub(r" {2,}", "  ", text)
