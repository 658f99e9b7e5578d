# SPDX-License-Identifier: Apache-2.0
"""wsf installed on a node, as a user sees it: functions, connections, and what the status counts."""
import pathlib

from kubectl import ROOT, Kubectl, Refused, function, namespace, wait_for
from machine import Machine
from peers import TEXT, Peer, field, upgrade_request

SYSTEM = "wsf-system"
IMAGES = ("wsf-operator", "wsf-gateway", "wsf-sidecar", "wsf-echo-python", "wsf-echo-node", "wsf-root")
ECHO = "localhost/wsf/wsf-echo-python:0.1.0"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
# Tells who it is, then does as it is told.
SERVER = """
import asyncio, os, websockets
async def serve(socket):
    await socket.send(os.environ["WSF_INSTANCE"])
    async for message in socket:
        word, _, rest = message.partition(" ")
        if word == "exit":
            os._exit(int(rest))
        if word == "fill":
            held = []
            while True:
                held.append(os.urandom(1 << 20))
        if word == "close":
            await socket.close(int(rest))
        else:
            await socket.send(message)
async def main():
    async with websockets.serve(serve, "0.0.0.0", 9000):
        await asyncio.Future()
asyncio.run(main())
"""


class Cluster:
    def __init__(self, folder: pathlib.Path):
        self.machine = Machine(folder)
        self.kubectl: Kubectl = self.machine.kubectl
        for name in IMAGES:
            self.machine.load(ROOT / "build" / "images" / f"{name}.tar")

    def close(self) -> None:
        self.machine.close()

    # ---- Installation ----

    def install(self) -> None:
        self.kubectl("apply", "--server-side", "-f", str(ROOT / "dist" / "install.yaml"))
        self.await_rolled_out()

    def drain(self) -> None:
        """As docs/operations.md says, before what dist/install.yaml has brought is deleted."""
        self.kubectl("apply", "-f", str(ROOT / "dist" / "drain.yaml"))
        self.kubectl("wait", "--for=condition=complete", "job/wsf-drain", "-n", SYSTEM, "--timeout=110s")

    def uninstall(self) -> None:
        """What remains of an installation. Its pods go first: a namespace that still has some with an hour's
        grace is looked at again after half of that."""
        self.kubectl("delete", "deployments", "--all", "-n", SYSTEM, "--cascade=foreground", "--timeout=100s")
        self.kubectl("delete", "namespace", SYSTEM, "--ignore-not-found", "--timeout=100s")

    def await_rolled_out(self) -> None:
        for name in ("wsf-operator", "wsf-gateway"):
            self.kubectl("rollout", "status", f"deployment/{name}", "-n", SYSTEM, "--timeout=110s")
        service = self.kubectl.get("service", "wsf-gateway", "-n", SYSTEM)
        self.gateway = service["spec"]["clusterIP"]
        # Rolled out is not yet routed: kube-proxy refuses until it has seen the endpoints.
        wait_for(self.is_routed, "the gateway's Service is routed")

    def is_routed(self) -> bool:
        try:
            self.machine.dial(self.gateway, 80).close()
        except ConnectionRefusedError:
            return False
        return True

    # ---- Functions ----

    def make(self, space: str, name: str = "f", **spec) -> None:
        """A function in a namespace of the test's own, that demands restricted pods; it runs SERVER
        where no image is said."""
        if "image" not in spec:
            spec = {"image": ECHO, "command": ["python3", "-c", SERVER], **spec}
        spec = {"limits": {"profile": "open"}, **spec}
        self.kubectl.apply(namespace(space, **RESTRICTED), function(name, space, **spec))
        wait_for(lambda: self.status(space, name).get("conditions"), f"{space}/{name} is seen")

    def status(self, space: str, name: str = "f") -> dict:
        return self.kubectl.get("wsf", name, "-n", space).get("status", {})

    def pods(self, space: str) -> list[dict]:
        return self.kubectl.pods(space)

    def await_free(self, space: str, count: int, name: str = "f") -> None:
        wait_for(lambda: self.status(space, name).get("free") == count, f"{count} free instances")

    def await_codes(self, space: str, codes: dict[str, int], name: str = "f") -> None:
        """Every session is counted, once; and of its pod nothing is left."""
        try:
            wait_for(lambda: self.status(space, name).get("sessions", {}).get("byCode") == codes,
                     f"the codes {codes}")
        except AssertionError:
            raise AssertionError(f"{self.status(space, name)} instead of {codes}") from None
        wait_for(lambda: self.status(space, name).get("uncounted") == [], "nothing is left to count")

    def await_gone(self, space: str) -> None:
        wait_for(lambda: self.pods(space) == [], f"no pod is left in {space}")

    # ---- Connections ----

    def ask(self, path: str) -> tuple[Peer, str]:
        """The handshake's answer."""
        peer = Peer(self.machine.dial(self.gateway, 80), masks=True)
        peer.sock.settimeout(110)
        peer.send_raw(upgrade_request(path, self.gateway))
        return peer, peer.receive_head()

    def open(self, space: str, name: str = "f") -> tuple[Peer, str]:
        """A live session and the name of its instance."""
        peer, head = self.ask(f"/{space}/{name}")
        assert " 101 " in head.split("\r\n")[0], head + peer.receive_all().decode()
        return peer, peer.receive().payload.decode()

    def refused(self, space: str, name: str = "f") -> tuple[str, str]:
        """The HTTP status and the function's status code of a handshake."""
        _, head = self.ask(f"/{space}/{name}")
        return head.split()[1], field(head, "X-Wsf-Status-Code") or ""

    def talk(self, peer: Peer, text: str) -> None:
        peer.send(TEXT, text.encode())
        peer.expect(TEXT, text.encode())

    def leader(self) -> str:
        try:
            lease = self.kubectl.get("lease", "wsf-operator", "-n", SYSTEM)
        except Refused:
            return ""
        return lease["spec"]["holderIdentity"].rpartition("_")[0]
