# SPDX-License-Identifier: Apache-2.0
"""Alerts by the real promtool; alerts and dashboard know no metric that there is not."""
import json
import re

import pytest
import yaml

from delivery import ROOT, run

FOLDER = ROOT / "deploy" / "components" / "monitoring"
# kubernetes.md, section 6.
METRICS = {
    "wsf_sessions_live": {"namespace", "function"},
    "wsf_sessions_total": {"namespace", "function", "code"},
    "wsf_session_duration_seconds": {"namespace", "function"},
    "wsf_billed_seconds_total": {"namespace", "function"},
    "wsf_start_seconds": {"kind"},
    "wsf_instances": {"state"},
    "wsf_handshakes_waiting": set(),
    "wsf_handshakes_refused_total": {"reason"},
    "wsf_relay_bytes_total": {"direction"},
    "wsf_relay_messages_total": {"direction"},
    "wsf_reconcile_seconds": set(),
    "wsf_api_requests_total": {"verb", "resource", "code"},
    "wsf_workqueue_depth": set(),
    "wsf_leader": set(),
}
# What a scrape adds.
SCRAPED = {"pod", "le"}


def groups() -> dict:
    return yaml.safe_load((FOLDER / "prometheus_rule.yaml").read_text())["spec"]


def rules() -> list[dict]:
    return [rule for group in groups()["groups"] for rule in group["rules"]]


def dashboard_queries() -> list[str]:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    variables = [each["query"]["query"] for each in dashboard["templating"]["list"]
                 if each["type"] == "query"]
    assert len(queries) > 15 and len(variables) == 2
    return queries + variables


def test_k52_promtool_checks_the_rules(tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups()))
    done = run("promtool", "check", "rules", "--lint-fatal", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules())} rules found" in done.stdout


def test_k52_every_alert_fires_when_it_should_and_only_then(tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups()))
    cases = (ROOT / "tests/delivery/alerts.yaml").read_text()
    (tmp_path / "alerts.yaml").write_text(cases)
    done = run("promtool", "test", "rules", "alerts.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    # Each alert has a case in which it fires and one in which it does not.
    tests = [each for case in yaml.safe_load(cases)["tests"] for each in case["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {each["alertname"] for each in tests if each["exp_alerts"]} == names
    assert {each["alertname"] for each in tests if not each["exp_alerts"]} == names


@pytest.mark.parametrize("source", ["alerts", "dashboard"])
def test_section_6_queries_use_its_metrics_and_labels_only(source):
    queries = dashboard_queries() if source == "dashboard" else [each["expr"] for each in rules()]
    used = set()
    for query in queries:
        for name in re.findall(r"\bwsf_\w+", query):
            name = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in METRICS, query
            used.add(name)
        known = SCRAPED.union(*(METRICS[name] for name in METRICS if name in query))
        selected = re.findall(r"(\w+)=?[!=]~?\"", query)
        grouped = [label.strip() for found in re.findall(r"by \(([^)]*)\)", query)
                   for label in found.split(",")]
        assert set(selected + grouped) <= known, query
    if source == "dashboard":
        assert used == set(METRICS)


def test_section_6_legends_and_texts_name_labels_that_their_query_leaves():
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    pairs = [(target["expr"], target["legendFormat"]) for panel in dashboard["panels"]
             for target in panel.get("targets", [])]
    pairs += [(rule["expr"], json.dumps(rule["annotations"])) for rule in rules()]
    for query, text in pairs:
        for label in re.findall(r"\{\{ ?(?:\$labels\.)?([a-z]+) ?\}\}", text):
            grouped = " ".join(re.findall(r"by \(([^)]*)\)", query))
            assert label in grouped or "by (" not in query, (query, text)


def test_reasons_and_codes_in_the_alerts_are_ours():
    reasons = (ROOT / "common" / "base" / "reason.cc").read_text()
    for rule in rules():
        for found in re.findall(r'reason=~"([^"]*)"', rule["expr"]):
            for reason in found.split("|"):
                assert f'"{reason}"' in reasons, reason


def test_panels_do_not_overlap_and_have_ids():
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = set()
    for panel in panels:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24 and (x, y) not in cells, panel["title"]
                cells.add((x, y))
