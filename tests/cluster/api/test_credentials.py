# SPDX-License-Identifier: Apache-2.0
"""Every way in which a kubeconfig names a server and a user, on a real API server (D45)."""
import json
import pathlib
import shutil
import socket
import threading

import pytest

from kubectl import wait_for
from loopback import address
from replica import Replica

IMAGE = "registry.example/echo:1"
ACCOUNT = "wsf-operator"
UNTRUSTED = "does the server's certificate fit certificate-authority"


@pytest.fixture
def start(api, programs, tmp_path, system):
    """Starts an operator of `system` with a kubeconfig made of a cluster and a user."""
    started = []

    def start(cluster: dict, user: dict) -> Replica:
        path = tmp_path / "config"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]}))
        started.append(Replica(api, programs, tmp_path, system, kubeconfig=path))
        return started[-1]
    yield start
    for each in started:
        each.close()


@pytest.fixture
def cluster(api, tmp_path):
    """By a file beside the kubeconfig."""
    shutil.copy(api.authority.folder / "ca.crt", tmp_path / "ca.crt")
    return {"server": api.url, "certificate-authority": "ca.crt"}


def token(api, system: str) -> str:
    return api.kubectl("create", "token", ACCOUNT, "-n", system, "--duration=1h").strip()


def of_token_file(api, system: str, folder: pathlib.Path) -> dict:
    (folder / "token").write_text(token(api, system) + "\n")
    return {"tokenFile": "token"}


def of_certificate_files(api, system: str, folder: pathlib.Path) -> dict:
    api.authority.issue(system, f"/CN=system:serviceaccount:{system}:{ACCOUNT}")
    for kind in ("crt", "key"):
        shutil.copy(api.authority.folder / f"{system}.{kind}", folder / f"client.{kind}")
    return {"client-certificate": "client.crt", "client-key": "./client.key"}


def of_plugin(api, system: str, folder: pathlib.Path) -> dict:
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {"token": token(api, system)}}
    (folder / "credential.json").write_text(json.dumps(credential))
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat",
                     "args": [str(folder / "credential.json")], "interactiveMode": "Never"}}


@pytest.mark.parametrize("user", [of_token_file, of_certificate_files, of_plugin],
                         ids=lambda user: user.__name__)
def test_D45_a_user(api, start, cluster, system, namespace, tmp_path, user):
    start(cluster, user(api, system, tmp_path)).await_leading()
    api.kubectl.apply({"apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
                       "metadata": {"name": "echo", "namespace": namespace},
                       "spec": {"image": IMAGE, "warmInstances": 1}})
    wait_for(lambda: api.kubectl.pods(namespace), "a pod: what it watches and writes is allowed")


class Forward:
    """Takes connections to an API server at an address for which it has no certificate."""

    def __init__(self, url: str):
        host, _, port = url.removeprefix("https://").partition(":")
        self.target = (host, int(port))
        self.listener = socket.create_server((address(), 0))
        self.url = "https://{}:{}".format(*self.listener.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            target.close()

    def close(self) -> None:
        self.listener.close()


@pytest.fixture
def elsewhere(api):
    forward = Forward(api.url)
    yield forward.url
    forward.close()


@pytest.mark.parametrize("known", [{"tls-server-name": "localhost"}, {"insecure-skip-tls-verify": True}],
                         ids=lambda known: next(iter(known)))
def test_D45_a_server_at_an_address_that_its_certificate_does_not_bear(
        api, start, cluster, elsewhere, system, known):
    cluster = {"server": elsewhere, **known}
    if "tls-server-name" in known:
        cluster["certificate-authority"] = "ca.crt"
    start(cluster, {"token": token(api, system)}).await_leading()


def test_D45_S8_without_either_it_is_not_trusted(api, start, cluster, elsewhere, system):
    replica = start(cluster | {"server": elsewhere}, {"token": token(api, system)})
    wait_for(lambda: UNTRUSTED in replica.log.read_text(), "it is told why")
    assert not replica.leads()


@pytest.mark.parametrize("file, wrong, told", [
    ("token", "expired", "nauthorized"), ("ca.crt", None, UNTRUSTED),
])
def test_D45_what_is_replaced_is_read_again(api, start, cluster, system, tmp_path, file, wrong, told):
    user = of_token_file(api, system, tmp_path)
    right = (tmp_path / file).read_text()
    if wrong is None:
        api.authority.issue("other", "/CN=other")
        wrong = (api.authority.folder / "other.crt").read_text()
    (tmp_path / file).write_text(wrong)
    replica = start(cluster, user)
    wait_for(lambda: told in replica.log.read_text(), "it is refused, or does not trust")
    (tmp_path / file).write_text(right)
    replica.await_leading()
