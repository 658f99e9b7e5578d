# SPDX-License-Identifier: Apache-2.0
"""A mutating admission webhook, as service meshes and policy engines bring them."""
import base64
import http.server
import json
import ssl
import threading
from collections.abc import Callable


class Webhook:
    """Answers an API server's reviews with `patch_of(object)`, a JSON patch; for the pods that are
    made in one namespace, until closed."""

    def __init__(self, api, space: str, patch_of: Callable[[dict], list[dict]]):
        api.authority.issue("webhook", "/CN=webhook", "IP:127.0.0.1")
        folder = api.authority.folder

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                patch = json.dumps(patch_of(review["request"]["object"])).encode()
                answer = json.dumps({
                    "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {
                        "uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch",
                        "patch": base64.b64encode(patch).decode()}}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "webhook.crt", folder / "webhook.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.kubectl, self.name = api.kubectl, f"webhook-{space}"
        api.kubectl.apply({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": self.name},
            "webhooks": [{
                "name": "pods.webhook.example", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                           "resources": ["pods"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
                "clientConfig": {
                    "url": f"https://127.0.0.1:{self.server.server_port}/",
                    "caBundle": base64.b64encode((folder / "ca.crt").read_bytes()).decode()}}]})

    def close(self) -> None:
        self.kubectl("delete", "mutatingwebhookconfiguration", self.name)
        self.server.shutdown()
        self.server.server_close()
