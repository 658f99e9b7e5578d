# SPDX-License-Identifier: Apache-2.0
"""How long a client waits for the 101 of a session, with a free instance and without one."""
import pathlib
import time

from dev_rig import Dev, wait_for
from kube_access import FUNCTIONS, PODS, KubeAccess
from peers import CLOSE, TEXT, close_body


def p(values: list[float], share: float = 0.5) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def session(dev: Dev) -> float:
    """Milliseconds to the 101 of one session that is closed with 1000."""
    start = time.perf_counter()
    client = dev.request("/echo")
    head = client.receive_head()
    took = (time.perf_counter() - start) * 1000
    assert head.startswith("HTTP/1.1 101 "), head
    client.send(TEXT, b"x")
    while client.receive().payload != b"x":
        pass
    client.send(CLOSE, close_body(1000))
    while client.receive().opcode != CLOSE:
        pass
    client.end()
    return took


class Starts:
    """Of the one function of a `wsf dev`, one after the other."""

    def __init__(self, dev: Dev):
        self.dev = dev
        self.api = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), dev.folder)

    def warm(self, free: int) -> float:
        """With as many free instances as there are to be, none of them used before."""
        wait_for(lambda: self._is_idle(free), f"{free} instances are free")
        return session(self.dev)

    def cold(self) -> float:
        wait_for(lambda: self.api.get(PODS)["items"] == [], "no instance is left")
        return session(self.dev)

    def _is_idle(self, free: int) -> bool:
        """By the pods: what status says may be a second old."""
        pods = self.api.get(PODS)["items"]
        status = self.api.get(FUNCTIONS + "/dev").get("status", {})
        return (len(pods) == free and not any("deletionTimestamp" in p["metadata"] for p in pods)
                and status.get("free") == free and not status.get("live"))
