# SPDX-License-Identifier: Apache-2.0
"""deploy/, by the real kustomize."""
import pathlib
import shutil

import pytest
import yaml

from delivery import ROOT, documents, kustomize, named, run

DEPLOY = ROOT / "deploy"
COMPONENTS = ["network-policy", "monitoring", "cert-manager", "ha"]


def with_components(tmp_path, names) -> str:
    """deploy/default with components, as a user's own kustomization has it."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    folder = tmp_path / "deploy" / "mine"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": ["../default"],
        "components": [f"../components/{name}" for name in names]}))
    return kustomize("mine", tmp_path / "deploy")


def test_k50_install_yaml_is_one_file_and_the_same_each_time(tmp_path):
    texts = []
    for _ in range(2):
        done = run("make", "-s", "-C", ROOT, "manifests")
        assert done.returncode == 0, done.stderr
        texts.append((ROOT / "dist" / "install.yaml").read_text())
    assert texts[0] == texts[1] == kustomize("default")


def test_k52_install_yaml_passes_kubeconform(kubeconform):
    kubeconform(kustomize("default"))


@pytest.mark.parametrize("folder", ["crd", "rbac", "operator", "gateway", "samples"])
def test_k52_each_folder_passes_kubeconform(kubeconform, folder):
    kubeconform(kustomize(folder))


@pytest.mark.parametrize("names", [[name] for name in COMPONENTS] + [COMPONENTS],
                         ids=COMPONENTS + ["all"])
def test_k50_k52_default_with_components_passes_kubeconform(tmp_path, kubeconform, names):
    kubeconform(with_components(tmp_path, names))


def test_k51_only_the_chosen_images_are_left(manifests):
    text = kustomize("default")
    assert "image: wsf-" not in text and "value: wsf-sidecar" not in text
    spec = named(manifests, "Deployment", "wsf-operator")["spec"]["template"]["spec"]
    container = spec["containers"][0]
    assert "--relay-image=$(SIDECAR_IMAGE)" in container["args"]
    assert {"name": "SIDECAR_IMAGE", "value": "localhost/wsf/wsf-sidecar:0.1.0"} in container["env"]


def rule(role: dict, resource: str) -> set[str]:
    return set().union(*(set(each["verbs"]) for each in role["rules"]
                         if resource in each["resources"]))


def test_k30_the_operator_has_these_rights_and_no_others(manifests):
    role = named(manifests, "ClusterRole", "wsf-operator")
    assert {resource: rule(role, resource) for each in role["rules"]
            for resource in each["resources"]} == {
        "websocketfunctions": {"get", "list", "watch"},
        "websocketfunctions/status": {"patch"},
        "pods": {"get", "list", "watch", "create", "delete", "patch"},
        "events": {"create", "patch"},
        "poddisruptionbudgets": {"list", "watch", "create", "delete"}}
    reviews = named(manifests, "ClusterRole", "wsf-operator-reviews")
    assert reviews["rules"] == [{"apiGroups": ["authentication.k8s.io"],
                                 "resources": ["tokenreviews"], "verbs": ["create"]},
                                {"apiGroups": ["authorization.k8s.io"],
                                 "resources": ["subjectaccessreviews"], "verbs": ["create"]}]
    own = named(manifests, "Role", "wsf-operator")
    assert own["metadata"]["namespace"] == "wsf-system"
    secrets = [each for each in own["rules"] if "secrets" in each["resources"]]
    assert secrets == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "update"],
                        "resourceNames": ["wsf-operator-keys", "wsf-gateway-tls"]}]
    # Nobody runs as this one: whoever may make its tokens sees sessions, and nothing of the API's.
    people = named(manifests, "ClusterRole", "wsf-people")
    assert people["rules"] == [
        {"apiGroups": ["wsf.dev"], "resources": ["websocketfunctions/sessions"], "verbs": ["get", "delete"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    for each in manifests:
        for one in each.get("rules", []) if each["kind"].endswith("Role") else []:
            words = one["verbs"] + one.get("resources", []) + one.get("apiGroups", [])
            assert not {"*", "escalate", "bind", "impersonate", "nodes"} & set(words), each


def test_k32_users_get_their_rights_by_aggregation(manifests):
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    targets = {name: {label.removeprefix(prefix) for label, value
                      in named(manifests, "ClusterRole", name)["metadata"]["labels"].items()
                      if label.startswith(prefix) and value == "true"}
               for name in ("wsf-view", "wsf-edit")}
    assert targets == {"wsf-view": {"view", "edit", "admin"}, "wsf-edit": {"edit", "admin"}}
    view = named(manifests, "ClusterRole", "wsf-view")
    assert rule(view, "websocketfunctions") == {"get", "list", "watch"}
    assert rule(view, "websocketfunctions/sessions") == {"get"}
    assert rule(named(manifests, "ClusterRole", "wsf-edit"), "websocketfunctions/sessions") == {"delete"}


def openings(policy: dict) -> dict[int, list]:
    """port -> who may reach it."""
    return {port["port"]: each.get("from", ["anybody"])
            for each in policy["spec"]["ingress"] for port in each["ports"]}


def test_k35_the_policies_open_each_port_to_its_peers_only(tmp_path):
    objects = documents(with_components(tmp_path, ["network-policy"]))
    operator = openings(named(objects, "NetworkPolicy", "wsf-operator"))
    assert set(operator) == {9443, 9444, 9445}
    relays = operator[9443][0]["podSelector"]["matchExpressions"]
    assert relays == [{"key": "wsf.dev/function", "operator": "Exists"}]
    gateways = {"app.kubernetes.io/name": "wsf-gateway", "app.kubernetes.io/part-of": "wsf"}
    assert operator[9444] == [{"podSelector": {"matchLabels": gateways}}]
    gateway = openings(named(objects, "NetworkPolicy", "wsf-gateway"))
    assert gateway[8080] == gateway[8443] == ["anybody"]
    assert "anybody" not in gateway[8081] and "anybody" not in operator[9445]
    assert 8082 not in {*gateway, *operator}, "a probe comes from the node"


def test_k35_of_an_instance_only_the_relay_is_open_to_gateways_and_operators():
    policy = yaml.safe_load((DEPLOY / "components/function-namespace/policy.yaml").read_text())
    assert set(openings(policy)) == {17009}
    peer = openings(policy)[17009][0]
    assert peer["podSelector"]["matchExpressions"][0]["values"] == [
        "wsf-gateway", "wsf-operator", "wsf-drain"]


def test_k35_the_chart_has_the_same_policies(chart, tmp_path):
    theirs = documents(with_components(tmp_path, ["network-policy"]))
    ours = chart.objects({"networkPolicy": {"enabled": True}, "functionNamespaces": ["chat"]})
    gateway = named(ours, "NetworkPolicy", "wsf-gateway")["spec"]
    assert gateway == named(theirs, "NetworkPolicy", "wsf-gateway")["spec"]
    instances = yaml.safe_load((DEPLOY / "components/function-namespace/policy.yaml").read_text())
    assert named(ours, "NetworkPolicy", "wsf-instances")["spec"] == instances["spec"]
    # The chart's alone has `helm test`, which looks at a record.
    operator = named(ours, "NetworkPolicy", "wsf-operator")["spec"]
    del operator["ingress"][2]["from"][1]
    assert operator == named(theirs, "NetworkPolicy", "wsf-operator")["spec"]


def test_k50_the_components_agree_with_the_chart(chart, tmp_path):
    theirs = documents(with_components(tmp_path, ["monitoring", "cert-manager", "ha"]))
    ours = chart.objects({
        "gateway": {"autoscaling": {"enabled": True},
                    "tls": {"certManager": {"enabled": True, "dnsNames": ["ws.example.com"],
                                            "issuerRef": {"kind": "ClusterIssuer",
                                                          "name": "letsencrypt"}}}},
        "certManager": {"enabled": True},
        "metrics": {"prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}}})
    for kind, name, field in [("PrometheusRule", "wsf", "spec"), ("Issuer", "wsf-authority", "spec"),
                              ("Certificate", "wsf-authority", "spec"),
                              ("Certificate", "wsf-gateway-public", "spec"),
                              ("ConfigMap", "wsf-dashboard", "data"),
                              ("HorizontalPodAutoscaler", "wsf-gateway", "spec"),
                              ("PodDisruptionBudget", "wsf-operator", "spec"),
                              ("PodDisruptionBudget", "wsf-gateway", "spec")]:
        assert named(ours, kind, name)[field] == named(theirs, kind, name)[field], (kind, name)
    mounts = [named(objects, "Deployment", "wsf-gateway")["spec"]["template"]["spec"]["volumes"]
              for objects in (ours, theirs)]
    assert mounts[0] == mounts[1]


def test_k51_what_monitoring_selects_is_there(tmp_path):
    objects = documents(with_components(tmp_path, ["monitoring"]))
    for name, port in (("wsf-operator", 9445), ("wsf-gateway", 8081)):
        monitor = named(objects, "ServiceMonitor", name)["spec"]
        service = named(objects, "Service", f"{name}-metrics")
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
        template = named(objects, "Deployment", name)["spec"]["template"]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        ports = template["spec"]["containers"][0]["ports"]
        assert {"name": "admin", "containerPort": port} in ports


def test_k53_gitops_samples_name_what_is_in_the_tree():
    folder = DEPLOY / "samples" / "gitops"
    flux = documents((folder / "flux" / "platform.yaml").read_text())
    chart = named(flux, "HelmRelease", "wsf")["spec"]
    assert (ROOT / chart["chart"]["spec"]["chart"] / "Chart.yaml").exists()
    argo = documents((folder / "argocd" / "applications.yaml").read_text())
    source = named(argo, "Application", "wsf")["spec"]["source"]
    assert (ROOT / source["path"] / "Chart.yaml").exists()


def test_k53_gitops_values_are_values_of_the_chart(chart):
    folder = DEPLOY / "samples" / "gitops"
    flux = documents((folder / "flux" / "platform.yaml").read_text())
    argo = documents((folder / "argocd" / "applications.yaml").read_text())
    for values in (named(flux, "HelmRelease", "wsf")["spec"]["values"],
                   named(argo, "Application", "wsf")["spec"]["source"]["helm"]["valuesObject"]):
        assert "registry.example.com/wsf/wsf-operator:" in chart.text(values)


def test_s3_21_the_samples_code_is_mounted_where_the_runtimes_run_it():
    for path in sorted(pathlib.Path(DEPLOY / "samples").glob("echo-*.yaml")):
        code, function = documents(path.read_text())
        spec = function["spec"]
        assert spec["volumes"][0]["configMap"]["name"] == code["metadata"]["name"]
        assert spec["volumeMounts"][0]["mountPath"] == "/code"
        assert "args" in spec or "scf_bootstrap" in code["data"]
        if "scf_bootstrap" in code["data"]:
            assert spec["volumes"][0]["configMap"]["defaultMode"] == 0o755


@pytest.mark.parametrize("old, new", [("replicas: 2", "replica: 2"), ("port: 9443", "port: https"),
                                      ("kind: Service\n", "kind: Servise\n")])
def test_k52_the_check_itself_refuses_what_the_api_refuses(kubeconform, old, new):
    text = kustomize("operator")
    assert old in text
    with pytest.raises(AssertionError):
        kubeconform(text.replace(old, new))
