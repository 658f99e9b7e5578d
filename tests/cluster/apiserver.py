# SPDX-License-Identifier: Apache-2.0
"""A real API server with its store on loopback: no node, so pods stay as they are made."""
import json
import pathlib
import subprocess
import threading
from collections.abc import Iterator

from kubectl import KUBERNETES, Kubectl, Refused, namespace, wait_for
from pki import Authority
from ports import free_ports
from rights import rights_of, secrets_of

AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
         "rules": [{"level": "Metadata"}]}


class ApiServer:
    """Ready when constructed. Every call is written to the audit log."""

    def __init__(self, folder: pathlib.Path):
        folder.mkdir(parents=True)
        self.folder = folder
        self.authority = Authority(folder / "pki")
        self.authority.issue("server", "/CN=kube-apiserver", "IP:127.0.0.1,DNS:localhost")
        self.authority.issue("admin", "/O=system:masters/CN=admin")
        self.processes: list[subprocess.Popen] = []
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None
        store, peers, port = free_ports(3)
        self.url = f"https://127.0.0.1:{port}"
        self.kubectl = Kubectl(self.authority.kubeconfig("admin", self.url))
        try:
            self._run("etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync",
                      "--listen-client-urls", f"http://127.0.0.1:{store}",
                      "--advertise-client-urls", f"http://127.0.0.1:{store}",
                      "--listen-peer-urls", f"http://127.0.0.1:{peers}",
                      "--initial-advertise-peer-urls", f"http://127.0.0.1:{peers}",
                      "--initial-cluster", f"default=http://127.0.0.1:{peers}")
            self._run(KUBERNETES / "kube-apiserver", *self._flags(store, port))
            wait_for(self._is_ready, "the API server is ready")
        except BaseException:
            self.close()
            raise

    def _run(self, program, *arguments) -> None:
        with (self.folder / f"{pathlib.Path(program).name}.log").open("ab") as log:
            self.processes.append(subprocess.Popen([str(program), *map(str, arguments)], stdout=log,
                                                   stderr=log, stdin=subprocess.DEVNULL))

    def _flags(self, store: int, port: int) -> list[str]:
        pki = self.authority.folder
        policy = self.folder / "audit.json"
        policy.write_text(json.dumps(AUDIT))
        issuer = "https://kubernetes.default.svc"
        return [f"--etcd-servers=http://127.0.0.1:{store}", "--bind-address=127.0.0.1",
                f"--secure-port={port}", f"--tls-cert-file={pki}/server.crt",
                f"--tls-private-key-file={pki}/server.key", f"--client-ca-file={pki}/ca.crt",
                f"--service-account-key-file={pki}/accounts.pub",
                f"--service-account-signing-key-file={pki}/accounts.key",
                f"--service-account-issuer={issuer}", f"--api-audiences={issuer}",
                "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16",
                f"--audit-policy-file={policy}", f"--audit-log-path={self.folder}/audit.log"]

    def keep(self) -> None:
        """From here on what ends is started again, as a kubelet does with a static pod."""
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        while not self._stopping.wait(0.2):
            for process in list(self.processes):
                if process.poll() is not None:
                    self.processes.remove(process)
                    self._run(*process.args)

    def _is_ready(self) -> bool:
        for process in self.processes:
            assert process.poll() is None, f"{process.args[0]} ended; its log is in {self.folder}"
        try:
            return self.kubectl("get", "--raw", "/readyz") == "ok"
        except Refused:
            return False

    def namespace(self, name: str, **labels: str) -> str:
        """With the account that a controller would make in it."""
        self.kubectl.apply(namespace(name, **labels),
                           {"apiVersion": "v1", "kind": "ServiceAccount",
                            "metadata": {"name": "default", "namespace": name}})
        return name

    def install(self, system: str, namespaces: list[str] | None = None) -> str:
        """What an operator finds: its account, its rights and two empty Secrets."""
        self.namespace(system)
        self.kubectl.apply(*rights_of(system, namespaces), *secrets_of(system))
        return system

    def kubeconfig_of(self, account: str, namespace: str) -> pathlib.Path:
        token = self.kubectl("create", "token", account, "-n", namespace, "--duration=1h").strip()
        return self.authority.kubeconfig(f"{namespace}-{account}", self.url, {"token": token})

    def events_of(self, user: str) -> Iterator[dict]:
        """Of the audit log, of users with this in their name, that are about an object."""
        for line in (self.folder / "audit.log").read_text().splitlines():
            event = json.loads(line)
            if user in event["user"].get("username", "") and "objectRef" in event:
                yield event

    def calls_of(self, user: str) -> set[tuple[str, str, str]]:
        """What a user has called: (verb, resource with subresource, namespace)."""
        calls = set()
        for event in self.events_of(user):
            at = event["objectRef"]
            resource = at["resource"] + ("/" + at["subresource"] if "subresource" in at else "")
            calls.add((event["verb"], resource, at.get("namespace", "")))
        return calls

    def refused_calls(self, user: str) -> list[str]:
        """Those for which it has no right."""
        return [f"{event['verb']} {event['requestURI']}" for event in self.events_of(user)
                if event["annotations"]["authorization.k8s.io/decision"] == "forbid"]

    def close(self) -> None:
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join()
        for process in reversed(self.processes):
            process.kill()
            process.wait()
