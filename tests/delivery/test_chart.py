# SPDX-License-Identifier: Apache-2.0
"""charts/wsf, by the real helm."""
import json
import re
import shutil

import pytest
import yaml

from delivery import CLUSTER_BIN, KUBE_VERSION, ROOT, documents, named, pods_of, run

EVERYTHING = {
    "image": {"registry": "registry.example.com/wsf/", "tag": "1.2.3", "pullSecrets": ["regcred"]},
    "publicUrl": "wss://ws.example.com",
    "operator": {"podLabels": {"team": "a"}, "podAnnotations": {"note": "1"},
                 "nodeSelector": {"pool": "system"}, "priorityClassName": "system-cluster-critical",
                 "tolerations": [{"key": "system", "operator": "Exists"}],
                 "extraArgs": ["--surplus-seconds=30"]},
    "gateway": {"service": {"type": "LoadBalancer", "externalTrafficPolicy": "Local",
                            "loadBalancerSourceRanges": ["10.0.0.0/8"],
                            "annotations": {"example.com/internal": "true"}},
                "trustedProxies": ["10.0.0.0/8", "fd00::/8"], "proxyProtocol": True,
                "maxConnections": 1000, "maxConnectionsPerAddress": 10,
                "defaultFunction": "demo/echo",
                "tls": {"certManager": {"enabled": True, "dnsNames": ["ws.example.com"],
                                        "issuerRef": {"kind": "ClusterIssuer", "name": "le"}}},
                "ingress": {"enabled": True, "className": "nginx",
                            "hosts": ["ws.example.com", "chat.example.com", "*.fn.example.com"],
                            "tls": [{"hosts": ["ws.example.com"], "secretName": "ws"}],
                            "annotations": {"example.com/read-timeout": "7200"}},
                "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}],
                              "hostnames": ["ws.example.com"]},
                "autoscaling": {"enabled": True}},
    "limits": {"maxMessageBytes": 33554432, "maxRequestBytesPerSecond": 1000000,
               "maxRequestsPerSecond": 100},
    "allow": {"serviceAccounts": ["runner"], "runtimeClasses": ["gvisor"],
              "priorityClasses": ["low"]},
    "hosts": {"chat": ["chat.example.com", "talk.example.com"]},
    "ownHosts": ["ws.example.org", "ws.example.net"],
    "keepFromEviction": True,
    "maxEviction": "Never",
    "relay": {"cpuLimit": "100m", "pullSecrets": ["registry", "mirror"]},
    "networkPolicy": {"enabled": True, "apiServerCidrs": ["192.0.2.1/32"]},
    "functionNamespaces": ["chat", "demo"],
    "certManager": {"enabled": True},
    "metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
                "prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}},
}
SETS = {
    "defaults": {},
    "everything": EVERYTHING,
    "one namespace": {"namespaces": ["chat"], "crds": {"install": False}},
    "its own namespace too": {"namespaces": ["wsf-system", "chat"], "functionNamespaces": ["chat"]},
    "ids by the cluster": {"userIds": "cluster"},
    "one of each": {"operator": {"replicas": 1}, "gateway": {"replicas": 1}},
    "a certificate at hand": {"gateway": {"tls": {"secretName": "ws-tls"}},
                              "uninstall": {"drain": False}},
    "no disruption budgets": {"podDisruptionBudget": {"enabled": False},
                              "gateway": {"ingress": {"enabled": True}}},
}


def test_k52_helm_lint_is_content():
    done = run(CLUSTER_BIN / "helm", "lint", "--strict", "--kube-version", KUBE_VERSION,
               ROOT / "charts" / "wsf")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_k52_every_rendering_passes_kubeconform(chart, kubeconform, values):
    kubeconform(chart.text(values))


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_k51_every_rendering_names_each_object_once_and_is_the_same_again(chart, values):
    text = chart.text(values)
    assert text == chart.text(values)
    ids = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
           for each in documents(text)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_k21_every_pod_of_ours_is_restricted_and_limited(chart, values):
    pods = pods_of(chart.objects(values))
    assert {name for name, _ in pods} >= {"wsf-operator", "wsf-gateway", "wsf-test-client"}
    for name, spec in pods:
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True and security.get("runAsUser", 1) > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]}}, name
            assert "memory" in container["resources"]["limits"], name
        assert not spec.get("hostNetwork"), name


def test_k50_the_charts_files_are_those_of_deploy():
    sources = ["crd/websocketfunctions.wsf.dev.yaml", "rbac/roles.yaml",
               "components/monitoring/prometheus_rule.yaml", "components/monitoring/dashboard.json"]
    for source in sources:
        original = ROOT / "deploy" / source
        copy = ROOT / "charts" / "wsf" / "files" / original.name
        assert copy.read_bytes() == original.read_bytes(), f"{source}: make chart-files"


def keys_of(value) -> list[str]:
    """Of all mappings in it."""
    if isinstance(value, list):
        return [key for each in value for key in keys_of(each)]
    if not isinstance(value, dict):
        return []
    return [*value, *(key for each in value.values() for key in keys_of(each))]


def test_k01_the_page_of_the_resource_tells_every_field_of_its_definition():
    definition = ROOT / "deploy" / "crd" / "websocketfunctions.wsf.dev.yaml"
    page = run(ROOT / "tools" / "resource-page", definition).stdout
    assert (ROOT / "docs" / "resource.md").read_text() == page, "make resource-page"
    fields = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(fields) > 100
    assert [line for line in fields if line.endswith("|  |")] == []
    # Client-side apply keeps it once more in an annotation, which may have 256 KiB with others.
    assert len(json.dumps(yaml.safe_load(definition.read_text()))) < 40_000
    # A comma in a text that has no quotes begins another key.
    assert [key for key in keys_of(yaml.safe_load(definition.read_text())) if " " in key] == []


def numbers_of(schema: dict, path: str = "spec"):
    """(path, schema) of every number with a range."""
    if schema.get("type") == "integer" and "minimum" in schema:
        yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from numbers_of(child, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from numbers_of(schema["items"], path)


def test_k01_every_number_tells_its_range_in_words():
    """kubectl explain shows words alone."""
    definition = ROOT / "deploy" / "crd" / "websocketfunctions.wsf.dev.yaml"
    version, = yaml.safe_load(definition.read_text())["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    numbers = dict(numbers_of(spec))
    assert len(numbers) > 20
    for path, schema in numbers.items():
        for bound in ("minimum", "maximum"):
            assert str(schema[bound]) in re.findall(r"\d+", schema["description"]), (path, bound)


def test_k50_the_charts_definition_and_rules_are_those_of_deploy(chart, manifests):
    ours = chart.objects()
    name = "websocketfunctions.wsf.dev"
    crd = named(ours, "CustomResourceDefinition", name)
    assert crd["spec"] == named(manifests, "CustomResourceDefinition", name)["spec"]
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    kinds = ("Role", "ClusterRole")
    rules = {(each["kind"], each["metadata"]["name"]): each["rules"]
             for each in ours if each["kind"] in kinds}
    assert rules == {(each["kind"], each["metadata"]["name"]): each["rules"]
                     for each in manifests if each["kind"] in kinds}
    bindings = ("RoleBinding", "ClusterRoleBinding")
    assert sorted((each["kind"], each["metadata"]["name"], str(each["roleRef"]), str(each["subjects"]))
                  for each in ours if each["kind"] in bindings) == \
        sorted((each["kind"], each["metadata"]["name"], str(each["roleRef"]), str(each["subjects"]))
               for each in manifests if each["kind"] in bindings)


def flags_of(objects: list[dict], deployment: str) -> set[str]:
    spec = named(objects, "Deployment", deployment)["spec"]["template"]["spec"]
    return set(spec["containers"][0]["args"])


def test_k50_chart_and_deploy_start_the_same_programs(chart, manifests):
    for name in ("wsf-operator", "wsf-gateway"):
        one = named(chart.objects(), "Deployment", name)["spec"]
        other = named(manifests, "Deployment", name)["spec"]
        assert one["replicas"] == other["replicas"]
        ours = one["template"]["spec"]
        theirs = other["template"]["spec"]
        for field in ("serviceAccountName", "terminationGracePeriodSeconds", "securityContext"):
            assert ours[field] == theirs[field], (name, field)
        assert ours.get("volumes") == theirs.get("volumes")
        for field in ("image", "ports", "livenessProbe", "readinessProbe", "resources",
                      "securityContext"):
            assert ours["containers"][0][field] == theirs["containers"][0][field], (name, field)


def test_k22_k11_k23_the_administrators_values_become_flags(chart):
    flags = flags_of(chart.objects(EVERYTHING), "wsf-operator")
    assert flags >= {
        "--allow-service-account=runner", "--allow-runtime-class=gvisor",
        "--allow-priority-class=low", "--hosts=chat=chat.example.com",
        "--hosts=chat=talk.example.com", "--max-message-bytes=33554432",
        "--max-request-bytes-per-second=1000000", "--max-requests-per-second=100",
        "--own-host=ws.example.org,ws.example.net,ws.example.com",
        "--relay-pull-secret=registry,mirror", "--max-eviction=Never", "--user-ids=ours",
        "--relay-cpu-limit=100m", "--keep-from-eviction", "--public-url=wss://ws.example.com",
        "--relay-image=registry.example.com/wsf/wsf-sidecar:1.2.3", "--leader-elect"}
    assert not any(flag.startswith(("--allow", "--hosts", "--own-host", "--max-", "--namespaces",
                                    "--relay-pull-secret")) and flag != "--max-eviction=OnUpgrade"
                   for flag in flags_of(chart.objects(), "wsf-operator"))


def test_K21_where_the_cluster_gives_user_ids_no_pod_names_one(chart):
    objects = chart.objects({"userIds": "cluster"})
    assert "--user-ids=cluster" in flags_of(objects, "wsf-operator")
    assert "65532" not in yaml.safe_dump(objects) and "runAsNonRoot: true" in yaml.safe_dump(objects)


@pytest.mark.parametrize("program", ["wsf-operator", "wsf-gateway"])
def test_k51_the_programs_know_every_flag_that_they_are_given(chart, program):
    known = run(ROOT / "build" / "release" / "bin" / program, "--help").stdout.split()
    for values in SETS.values():
        for flag in flags_of(chart.objects(values), program):
            assert flag.split("=")[0] in known, flag


def test_k30_a_namespaced_release_binds_in_its_namespaces_only(chart):
    objects = chart.objects({"namespaces": ["chat", "wsf-two"]}, namespace="wsf-two")
    bound = {(each["kind"], each["metadata"].get("namespace"), each["roleRef"]["name"])
             for each in objects if each["kind"].endswith("Binding")}
    assert bound == {
        ("RoleBinding", "chat", "wsf-operator-wsf-two"),
        ("RoleBinding", "wsf-two", "wsf-operator-wsf-two"),
        ("RoleBinding", "wsf-two", "wsf-operator"),
        # Whose token it is can be asked for the cluster only.
        ("ClusterRoleBinding", None, "wsf-operator-reviews-wsf-two"),
        # For those who may make its tokens.
        ("ClusterRoleBinding", None, "wsf-people-wsf-two")}
    assert "--namespaces=chat,wsf-two" in flags_of(objects, "wsf-operator")


def test_k31_a_gateway_has_no_rights_and_no_token(chart):
    objects = chart.objects(EVERYTHING)
    for each in objects:
        if each["kind"].endswith("Binding"):
            assert [subject["name"] for subject in each["subjects"]] in (["wsf-operator"], ["wsf-people"])
    spec = named(objects, "Deployment", "wsf-gateway")["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert named(objects, "ServiceAccount", "wsf-gateway")["automountServiceAccountToken"] is False


def test_k33_the_secrets_come_without_data_so_that_an_upgrade_leaves_them(chart, manifests):
    for objects in (chart.objects(), manifests):
        for name in ("wsf-operator-keys", "wsf-gateway-tls"):
            secret = named(objects, "Secret", name)
            assert "data" not in secret and "stringData" not in secret
        spec = named(objects, "Deployment", "wsf-gateway")["spec"]["template"]["spec"]
        source = spec["volumes"][0]["secret"]
        assert source["secretName"] == "wsf-gateway-tls"
        assert "optional" not in source and len(source["items"]) == 3
        operator = named(objects, "Deployment", "wsf-operator")["spec"]["template"]["spec"]
        assert "volumes" not in operator


def test_k51_before_an_uninstall_the_operator_drains_with_its_own_rights(chart):
    objects = chart.objects({"namespaces": ["chat"]})
    job = named(objects, "Job", "wsf-drain")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    spec = job["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == "wsf-operator"
    # It writes the functions' last status: as the replicas would.
    assert set(spec["containers"][0]["args"]) == \
        flags_of(objects, "wsf-operator") - {"--leader-elect"} | {"--drain-all"}
    # The Service must not send it calls before it leads.
    service = named(objects, "Service", "wsf-operator")["spec"]["selector"]
    assert not service.items() <= job["spec"]["template"]["metadata"]["labels"].items()


def test_k51_nothing_stays_after_an_uninstall_that_the_programs_write(chart, manifests):
    for objects in (chart.objects(), manifests):
        lease = named(objects, "Lease", "wsf-operator")
        assert "spec" not in lease  # the leader's


def test_p20_a_gateways_grace_is_half_a_minute_more_than_its_leaving_and_drain(chart, manifests):
    objects = chart.objects({"gateway": {"drainSeconds": 100, "lameDuckSeconds": 7}})
    spec = named(objects, "Deployment", "wsf-gateway")["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 137
    assert {"--drain-seconds=100", "--lame-duck-seconds=7"} <= set(spec["containers"][0]["args"])
    spec = named(manifests, "Deployment", "wsf-gateway")["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 3600 + 5 + 30
    assert {"--drain-seconds=3600", "--lame-duck-seconds=5"} <= set(spec["containers"][0]["args"])


def test_k51_with_an_autoscaler_nothing_else_says_how_many(chart):
    objects = chart.objects(EVERYTHING)
    assert "replicas" not in named(objects, "Deployment", "wsf-gateway")["spec"]
    assert named(objects, "HorizontalPodAutoscaler", "wsf-gateway")


def test_k51_one_replica_alone_gets_no_disruption_budget(chart):
    kinds = [each["kind"] for each in chart.objects(SETS["one of each"])]
    assert "PodDisruptionBudget" not in kinds


REFUSED = {
    "a word where a number belongs": ({"gateway": {"replicas": "two"}}, "replicas"),
    "no replica": ({"operator": {"replicas": 0}}, "replicas"),
    "a value that does not exist": ({"gateway": {"replica": 3}}, "replica"),
    "a part that does not exist": ({"gatway": {}}, "gatway"),
    "a URL with a path": ({"publicUrl": "wss://ws.example.com/x"}, "publicUrl"),
    "a URL of the web": ({"publicUrl": "https://ws.example.com"}, "publicUrl"),
    "a namespace in capitals": ({"namespaces": ["Chat"]}, "namespaces"),
    "an unknown service type": ({"gateway": {"service": {"type": "Public"}}}, "type"),
    "a drain of two days": ({"gateway": {"drainSeconds": 172800}}, "drainSeconds"),
    "PROXY headers from anybody": ({"gateway": {"proxyProtocol": True}}, "trustedProxies"),
    "a proxy that is no network": ({"gateway": {"trustedProxies": ["10.0.0.1"]}}, "trustedProxies"),
    "a certificate without names": (
        {"gateway": {"tls": {"certManager": {"enabled": True, "issuerRef": {"name": "x"}}}}},
        "dnsNames"),
    "a route without a gateway": ({"gateway": {"httpRoute": {"enabled": True}}}, "parentRefs"),
    "hosts as one word": ({"hosts": {"chat": "chat.example.com"}}, "hosts"),
    "an odd pull policy": ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
}


@pytest.mark.parametrize("values, word", REFUSED.values(), ids=REFUSED)
def test_k51_the_schema_refuses_and_names_the_value(chart, values, word):
    done = chart.template(values)
    assert done.returncode != 0
    assert word in done.stderr, done.stderr


def test_k51_every_value_is_in_the_schema_and_used():
    values = yaml.safe_load((ROOT / "charts/wsf/values.yaml").read_text())
    text = "".join(path.read_text() for path in (ROOT / "charts/wsf/templates").rglob("*.*"))

    def leaves(part, path):
        for name, value in part.items():
            if isinstance(value, dict) and value:
                yield from leaves(value, [*path, name])
            else:
                yield [*path, name]
    for path in leaves(values, []):
        assert path[-1] in text or path[-2] in text, ".".join(path)


@pytest.mark.parametrize("values, url", [
    ({}, "ws://localhost:8080/demo/echo"),
    ({"gateway": {"service": {"type": "LoadBalancer"}, "tls": {"secretName": "x"}}},
     "wss://EXTERNAL-IP/demo/echo")], ids=["ClusterIP", "LoadBalancer"])
def test_k51_notes_give_the_next_three_commands(tmp_path, chart, values, url):
    # `helm template` leaves the notes out, so here they are a template like any other.
    copy = shutil.copytree(chart.path, tmp_path / "wsf")
    (copy / "templates" / "NOTES.txt").rename(copy / "NOTES.txt")
    (copy / "templates" / "notes.yaml").write_text(
        'notes: {{ tpl (.Files.Get "NOTES.txt") . | toJson }}\n')
    done = run(CLUSTER_BIN / "helm", "template", "wsf", copy, "--namespace", "wsf-system",
               "--kube-version", KUBE_VERSION, "--show-only", "templates/notes.yaml", "--values", "-",
               input=json.dumps(values))
    assert done.returncode == 0, done.stderr
    notes = yaml.safe_load(done.stdout)["notes"]
    for words in ("helm test wsf --namespace wsf-system", "kubectl apply --namespace demo",
                  f"wsf connect {url}"):
        assert words in notes, notes
