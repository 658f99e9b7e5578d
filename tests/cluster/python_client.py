# SPDX-License-Identifier: Apache-2.0
"""python_client.py KUBECONFIG NAMESPACE: the `kubernetes` package does with WebSocketFunctions, Leases
and Events what programs do. A line a step on standard output: its name and what came of it."""
import json
import sys

from kubernetes import client, config, watch

APPLY = "application/apply-patch+yaml"


def function(name: str, **spec) -> dict:
    return {"apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
            "metadata": {"name": name, "labels": {"app": "python"}},
            "spec": {"image": "a", "maxInstances": 0, **spec}}


class Steps:
    def __init__(self, namespace: str):
        self.of = ("wsf.dev", "v1alpha1", namespace, "websocketfunctions")
        self.custom = client.CustomObjectsApi()

    def __call__(self, name: str, call, *arguments, **keywords):
        """Whatever the call returns; nothing if it was refused."""
        try:
            result = call(*arguments, **keywords)
        except client.ApiException as error:
            print(f"{name}: {error.status} {json.loads(error.body).get('reason', '')}", flush=True)
            return None
        print(f"{name}: done", flush=True)
        return result

    def functions(self) -> None:
        custom, of = self.custom, self.of
        made = self("create", custom.create_namespaced_custom_object, *of, function("p", maxInstances=5))
        self("create twice", custom.create_namespaced_custom_object, *of, function("p"))
        self("create what is invalid", custom.create_namespaced_custom_object, *of,
             function("q", port=0))
        self("create with a misspelt field", custom.create_namespaced_custom_object, *of,
             function("misspelt", imige="b"))
        self("get", custom.get_namespaced_custom_object, *of, "p")
        self("get nothing", custom.get_namespaced_custom_object, *of, "none")
        self("list", custom.list_namespaced_custom_object, *of)
        self("list by label", custom.list_namespaced_custom_object, *of,
             label_selector="app=python", limit=1)
        self("list everywhere", custom.list_cluster_custom_object, of[0], of[1], of[3],
             label_selector="app=python")
        self("merge patch", custom.patch_namespaced_custom_object, *of, "p",
             {"spec": {"executionTimeoutSeconds": 600}})
        self("JSON patch", custom.patch_namespaced_custom_object, *of, "p",
             [{"op": "add", "path": "/metadata/labels/a", "value": "b"}])
        self("replace an old version", custom.replace_namespaced_custom_object, *of, "p", made)
        newest = custom.get_namespaced_custom_object(*of, "p")
        newest["spec"]["port"] = 8000
        self("replace", custom.replace_namespaced_custom_object, *of, "p", newest)
        self("status", custom.patch_namespaced_custom_object_status, *of, "p",
             {"status": {"url": "ws://p"}})
        self("get status", custom.get_namespaced_custom_object_status, *of, "p")
        self("scale", custom.get_namespaced_custom_object_scale, *of, "p")
        self("scale up", custom.patch_namespaced_custom_object_scale, *of, "p",
             {"spec": {"replicas": 2}})
        self("scale up by replacing", self.replace_scale)

    def replace_scale(self):
        scale = self.custom.get_namespaced_custom_object_scale(*self.of, "p")
        scale["spec"]["replicas"] = 0
        return self.custom.replace_namespaced_custom_object_scale(*self.of, "p", scale)

    def apply(self) -> None:
        """This version of the package has no method that applies: the request is sent as it is."""
        def apply(name: str, manager: str, body: dict, part: str = "", force: bool = False):
            path = f"/apis/{self.of[0]}/{self.of[1]}/namespaces/{self.of[2]}/{self.of[3]}/{name}{part}"
            query = [("fieldManager", manager), *([("force", "true")] if force else [])]
            return self.custom.api_client.call_api(
                path, "PATCH", query_params=query, body=json.dumps(body), response_type="object",
                header_params={"Content-Type": APPLY, "Accept": "application/json"},
                _return_http_data_only=True)
        self("apply", apply, "s", "one", function("s", port=8000))
        self("apply the same", apply, "s", "one", function("s", port=8000))
        self("apply against another", apply, "s", "two", function("s", port=8001))
        self("apply by force", apply, "s", "two", function("s", port=8001), force=True)
        self("apply less", apply, "s", "two", function("s"))
        self("apply with a misspelt field", apply, "s", "one", function("s", imige="b"))
        ready = {"apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
                 "metadata": {"name": "s"},
                 "status": {"url": "ws://s", "conditions": [
                     {"type": "Ready", "status": "True", "reason": "Tested", "message": "",
                      "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
        self("apply a status", apply, "s", "three", ready, "/status")
        self("apply a status against another", apply, "s", "four",
             {**ready, "status": {"url": "ws://t"}}, "/status")
        self("apply a status of nothing", apply, "none", "three",
             {**ready, "metadata": {"name": "none"}}, "/status")
        self("get what was applied", self.custom.get_namespaced_custom_object, *self.of, "s")

    def leases(self) -> None:
        leases = client.CoordinationV1Api()
        body = client.V1Lease(metadata=client.V1ObjectMeta(name="python"),
                              spec=client.V1LeaseSpec(holder_identity="a", lease_duration_seconds=15))
        made = self("create a lease", leases.create_namespaced_lease, self.of[2], body)
        made.spec.holder_identity = "b"
        self("replace a lease", leases.replace_namespaced_lease, "python", self.of[2], made)
        self("replace an old lease", leases.replace_namespaced_lease, "python", self.of[2], made)
        self("list leases", leases.list_namespaced_lease, self.of[2])
        self("delete a lease", leases.delete_namespaced_lease, "python", self.of[2])

    def watches(self) -> None:
        version = self.custom.list_namespaced_custom_object(*self.of)["metadata"]["resourceVersion"]
        self.custom.patch_namespaced_custom_object(*self.of, "p", {"metadata": {"labels": {"w": "1"}}})
        for event in watch.Watch().stream(self.custom.list_namespaced_custom_object, *self.of,
                                          resource_version=version, timeout_seconds=30):
            print("told:", event["type"], event["object"]["metadata"]["name"], flush=True)
            break

    def ends(self) -> None:
        for name in ("p", "s", "none"):
            self(f"delete {name}", self.custom.delete_namespaced_custom_object, *self.of, name)
        self("delete all", self.custom.delete_collection_namespaced_custom_object, *self.of)
        self("events", client.CoreV1Api().list_namespaced_event, self.of[2])


if __name__ == "__main__":
    config.load_kube_config(sys.argv[1])
    steps = Steps(sys.argv[2])
    for part in (steps.functions, steps.apply, steps.leases, steps.watches, steps.ends):
        part()
