# SPDX-License-Identifier: Apache-2.0
"""A kubelet whose word comes late: between the operator and the API it makes some instances look
running for a while after they have ended."""
import http.client
import json
import random
import threading
import time


AGAIN = 20  # seconds


def is_over(pod: dict) -> bool:
    states = pod.get("status", {}).get("containerStatuses", [])
    return any("terminated" in each.get("state", {}) for each in states)


class LaggingKubelet:
    """Put it before a proxy's watches and lists of pods. `share` of the pods are told of up to
    `longest` seconds late."""

    def __init__(self, proxy, chance: random.Random, share: float, longest: float):
        self.proxy, self.chance, self.share, self.longest = proxy, chance, share, longest
        self.lagged = 0
        self._until = {}   # by uid: when the truth is told; 0 = this one does not lag
        self._truth = {}   # by uid: the last state of one that lags
        self._told = {}    # by uid: the state told just now, and until when it is told again
        self._lock = threading.Lock()
        proxy.events = self._events
        proxy.listed = self._listed
        proxy.watch_opened = self._again

    def _lags(self, pod: dict) -> bool:
        uid = pod["metadata"]["uid"]
        if uid not in self._until:
            lag = self.chance.uniform(0, self.longest) if self.chance.random() < self.share else 0
            self._until[uid] = time.monotonic() + lag if lag else 0
            if lag:
                self.lagged += 1
                timer = threading.Timer(lag, self._tell, (uid,))
                timer.daemon = True
                timer.start()
        return time.monotonic() < self._until[uid]

    def _tell(self, uid: str) -> None:
        with self._lock:
            truth = self._truth.pop(uid, None)
            if truth is None:
                return
            self._told[uid] = (truth, time.monotonic() + AGAIN)
        self._say(truth, self.proxy.inject)

    def _again(self, lines) -> None:
        """A watch that follows a list from before: it would miss what was told between them."""
        with self._lock:
            told = [truth for truth, until in self._told.values() if time.monotonic() < until]
        for truth in told:
            self._say(truth, lines.put)

    def _say(self, pod: dict, put) -> None:
        """No API server tells of a pod behind its end: it may have gone while no watch was open."""
        if not self._is_there(pod["metadata"]):
            return
        put(json.dumps({"type": "MODIFIED", "object": pod}).encode() + b"\n")
        if not self._is_there(pod["metadata"]):
            put(json.dumps({"type": "DELETED", "object": pod}).encode() + b"\n")

    def _is_there(self, metadata: dict) -> bool:
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        try:
            status, pod = self.proxy.access().call("GET", path)
        except (OSError, ValueError, http.client.HTTPException):
            return True  # `wsf dev` has ended
        return status == 200 and pod["metadata"]["uid"] == metadata["uid"]

    def _mask(self, pod: dict) -> dict:
        """As the kubelet had told it last."""
        with self._lock:
            if not is_over(pod) or not self._lags(pod):
                return pod
            self._truth[pod["metadata"]["uid"]] = pod
        masked = json.loads(json.dumps(pod))
        masked["status"]["phase"] = "Running"
        for kind in ("containerStatuses", "initContainerStatuses"):
            for each in masked["status"].get(kind, []):
                each["state"] = {"running": {}}
        return masked

    def _events(self, line: bytes) -> list[bytes]:
        event = json.loads(line)
        pod = event.get("object", {})
        if pod.get("kind") != "Pod":
            return [line]
        if event["type"] == "DELETED":
            with self._lock:
                self._truth.pop(pod["metadata"]["uid"], None)
                self._told.pop(pod["metadata"]["uid"], None)
            return [line]
        if event["type"] == "BOOKMARK":
            return [line]
        event["object"] = self._mask(pod)
        return [json.dumps(event).encode() + b"\n"]

    def _listed(self, path: str, body: bytes) -> bytes:
        answer = json.loads(body)
        if answer.get("kind") != "PodList":
            return body
        items = [{"kind": "Pod", **each} for each in answer["items"]]
        answer["items"] = [self._mask(each) for each in items]
        return json.dumps(answer).encode()
