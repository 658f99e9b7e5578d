# SPDX-License-Identifier: Apache-2.0
"""The API of a running `wsf dev`, for tests that play the kubelet or look at what stands there."""
import base64
import http.client
import json
import pathlib
import re
import ssl

FUNCTIONS = "/apis/wsf.dev/v1alpha1/namespaces/default/websocketfunctions"
PODS = "/api/v1/namespaces/default/pods"
EVENTS = "/api/v1/namespaces/default/events"
MERGE = "application/merge-patch+json"


class KubeAccess:
    """Opened by a kubeconfig; `folder` keeps the client certificate."""

    def __init__(self, kubeconfig: pathlib.Path, folder: pathlib.Path):
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.host, self.port = re.match(r"https://(.*):(\d+)$", cluster["server"]).groups()
        self.context = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        pem = folder / "client.pem"
        pem.write_bytes(base64.b64decode(user["client-certificate-data"]) +
                        base64.b64decode(user["client-key-data"]))
        self.context.load_cert_chain(pem)

    def connect(self, timeout: float | None = 30) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, int(self.port), context=self.context,
                                           timeout=timeout)

    def call(self, method: str, path: str, body=None, content_type: str = "application/json"):
        """Status and decoded answer of one request."""
        connection = self.connect()
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": content_type})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def get(self, path: str):
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def patch_status(self, path: str, status: dict) -> None:
        answer, body = self.call("PATCH", path + "/status", {"status": status}, MERGE)
        assert answer == 200, body
