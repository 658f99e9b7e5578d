#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `wsf dev` is, on a real API server in the embedded one's place: takes the same flags, starts
etcd, kube-apiserver, operator, gateway and a node that runs pods as processes, and writes the same
ready file and records. With WSF_DEV naming it, the tests of `wsf dev` run on a real Kubernetes API.

The operator has its ServiceAccount's rights and no more.
"""
import argparse
import base64
import json
import os
import pathlib
import queue
import random
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(HERE.parent / "fault")]

import yaml  # noqa: E402

from apiserver import ApiServer  # noqa: E402
from kubectl import ROOT, wait_for  # noqa: E402
from loopback import address  # noqa: E402
from ports import free_port  # noqa: E402
from stream_proxy import StreamProxy  # noqa: E402

CRD = ROOT / "deploy" / "crd" / "websocketfunctions.wsf.dev.yaml"
SYSTEM = "wsf-system"
PROGRAMS = pathlib.Path(os.environ.get("WSF_BIN", ROOT / "build" / "release" / "bin"))
# Of the operator: several stand behind what a Service is, which sends each connection to any of them.
REPLICAS = int(os.environ.get("WSF_REPLICAS", "1"))
UNUSABLE = 2  # exit status: wrong flags, or a port in use
PAUSE = 0.1  # s, before a child is started again
TRIES = 3  # of an API server, whose ports were free a moment ago
PASSED_ON = ("--operator-flag", "--gateway-flag")


# ---- What is asked for ----

def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["dev"])
    parser.add_argument("-p", "--port", type=int, default=8080)
    parser.add_argument("-f", "--file")
    parser.add_argument("--name", default="")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--records", required=True)
    parser.add_argument("--ready-file", required=True, type=pathlib.Path)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--runtime", default="process")
    for repeated in ("--set", "--allow-origin", *PASSED_ON):
        parser.add_argument(repeated, action="append", default=[])
    ours, command = sys.argv[1:], []
    if "--" in ours:
        ours, command = ours[:ours.index("--")], ours[ours.index("--") + 1:]
    # A flag's value may begin with a dash itself: bound to the flag by an equals sign.
    bound = []
    for each in ours:
        if bound and bound[-1] in PASSED_ON:
            bound[-1] += "=" + each
        else:
            bound.append(each)
    options = parser.parse_args(bound)
    options.command = command
    return options


def apply_set(spec: dict, assignment: str) -> None:
    key, _, text = assignment.partition("=")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    *outer, last = key.split(".")
    for each in outer:
        spec = spec.setdefault(each, {})
    spec[last] = value


def function_of(options: argparse.Namespace) -> dict:
    if options.file:
        function = yaml.safe_load(pathlib.Path(options.file).read_text())
    else:
        function = {"metadata": {"name": "dev"},
                    "spec": {"command": options.command, "limits": {"profile": "open"}}}
    function |= {"apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction"}
    if options.name:
        function["metadata"]["name"] = options.name
    function["metadata"].setdefault("namespace", "default")
    for assignment in options.set:
        apply_set(function["spec"], assignment)
    function["spec"].setdefault("image", "localhost/none")  # never pulled: the command is run
    function["spec"].setdefault("workingDir", os.getcwd())
    return function


# ---- Its parts ----

class Part:
    """A child that is started again whenever it ends, as a pod would be; its lines are told."""

    def __init__(self, command: list, on_line, on_unusable):
        self.command = list(map(str, command))
        self.on_line = on_line
        self.on_unusable = on_unusable
        self.stopping = False
        self._start()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def _serve(self) -> None:
        while True:
            for line in self.process.stdout:
                self.on_line(line.decode(errors="replace").rstrip("\n"))
            status = self.process.wait()
            if status == UNUSABLE and not self.stopping:
                self.on_unusable()
                return
            time.sleep(PAUSE)
            if self.stopping:
                return
            self._start()

    def stop(self) -> None:
        self.stopping = True
        self.process.send_signal(signal.SIGTERM)

    def join(self, seconds: float) -> None:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.thread.join(seconds)


class Records:
    """One line for each record, however often an operator tells it."""

    def __init__(self, path: str):
        self.file = open(path, "a")
        self.seen = set()

    def add(self, log: dict) -> None:
        key = (log.get("podUid"), log.get("requestId"))
        if key in self.seen:
            return
        self.seen.add(key)
        for added in ("ts", "level", "msg"):
            log.pop(added, None)
        self.file.write(json.dumps(log) + "\n")
        self.file.flush()


def start_api(folder: pathlib.Path) -> ApiServer:
    for attempt in range(TRIES):
        try:
            return ApiServer(folder / f"cluster{attempt}")
        except AssertionError as error:
            print(f"! {error}", flush=True)
    raise SystemExit("no API server")


class ClusterDev:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.ends = queue.Queue()
        self.platform = queue.Queue()
        self.parts: list[Part] = []
        self.gateway = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.ends.put(0))
        options.data.mkdir(parents=True, exist_ok=True)
        self.records = Records(options.records)
        self.function = function_of(options)
        self.api = start_api(options.data)
        self.api.keep()

    def run(self) -> int:
        try:
            self._install()
            self._start()
            return self.ends.get()
        finally:
            for part in reversed(self.parts):
                part.stop()
            for part in self.parts:
                part.join(20)
            self.api.close()

    def _install(self) -> None:
        kubectl = self.api.kubectl
        kubectl("apply", "--server-side", "-f", str(CRD))
        wait_for(lambda: "websocketfunctions" in kubectl("api-resources"), "the CRD is served")
        self.api.namespace("default")
        self.api.install(SYSTEM)
        kubectl.apply(self.function)
        self.kubeconfig = self.options.data / "kubeconfig"
        fresh = self.options.data / "kubeconfig.new"
        fresh.write_bytes(kubectl.kubeconfig.read_bytes())
        fresh.rename(self.kubeconfig)

    def _start(self) -> None:
        options = self.options
        self.port = options.port or free_port()
        self._part([PROGRAMS / "wsf-local-node", self.kubeconfig, options.data / "pods",
                    "none" if options.runtime == "none" else PROGRAMS], self._on_node_line)
        self.at = self.platform.get(timeout=60)
        if REPLICAS == 1:
            self.gateways_dial = f"{self.at}:9444"
            self.operator = self._operator(self.at, 8083)
        else:
            places = [address() for _ in range(REPLICAS)]
            sidecars, gateways = (StreamProxy(lambda port=port: (random.choice(places), port))
                                  for port in (9443, 9444))
            self.gateways_dial = gateways.endpoint
            self.operator, *_ = (self._operator(place, 8082, "--leader-elect", f"--advertise={sidecars.endpoint}")
                                 for place in places)
        threading.Thread(target=self._start_gateway, daemon=True).start()

    def _operator(self, place: str, probes: int, *flags: str) -> Part:
        """Started again it is another one, as a new pod would be."""
        return self._part(
            ["env", f"POD_IP={place}", PROGRAMS / "wsf-operator",
             f"--kubeconfig={self.api.kubeconfig_of('wsf-operator', SYSTEM)}",
             f"--namespace={SYSTEM}", f"--sidecar-listen={place}:9443",
             f"--gateway-listen={place}:9444", f"--admin-listen={place}:9445",
             f"--probe-listen={place}:{probes}", "--max-relay-connections-per-source=0",
             f"--public-url=ws://localhost:{self.port}", *flags, *self.options.operator_flag], self._on_log)

    def _part(self, command: list, on_line) -> Part:
        part = Part(command, on_line, lambda: self.ends.put(UNUSABLE))
        self.parts.append(part)
        return part

    def _start_gateway(self) -> None:
        """Once its certificate is there, as a pod would wait for a mounted Secret."""
        data = wait_for(lambda: self.api.kubectl.get(
            "secret", "wsf-gateway-tls", "-n", SYSTEM).get("data"), "the gateway's certificate")
        folder = self.options.data / "gateway-tls"
        folder.mkdir()
        for name, value in data.items():
            (folder / name).write_bytes(base64.b64decode(value))
        metadata = self.function["metadata"]
        self.gateway = self._part(
            [PROGRAMS / "wsf-gateway", f"--listen={self.options.host}:{self.port},[::1]:{self.port}",
             f"--admin-listen={self.at}:8081", f"--probe-listen={self.at}:8082", f"--operator={self.gateways_dial}",
             f"--operator-tls={folder}", "--loopback-only",
             f"--default-function={metadata['namespace']}/{metadata['name']}",
             *(f"--allow-origin={each}" for each in self.options.allow_origin),
             *self.options.gateway_flag], self._on_log)

    # ---- What they say ----

    def _on_node_line(self, line: str) -> None:
        if line.startswith('{"platform"'):
            self.platform.put(json.loads(line)["platform"])
        else:
            print(line, flush=True)

    def _on_log(self, line: str) -> None:
        try:
            log = json.loads(line)
        except ValueError:
            print(line, flush=True)
            return
        message = log.get("msg")
        if message == "session":
            self.records.add(log)
        elif message == "ready":
            self._tell_ready()
        elif message == "handshake refused" or log.get("level") != "info":
            print(f"! {message}: {log.get('error', '')}", flush=True)

    def _tell_ready(self) -> None:
        if self.options.ready_file.exists():
            return  # a gateway that was started again
        wait_for(lambda: self.gateway, "the gateway is known")
        admin = f"http://{self.at}:8081"
        fresh = self.options.ready_file.with_suffix(".new")
        fresh.write_text(json.dumps({
            "url": f"ws://localhost:{self.port}/", "tryUrl": f"{admin}/_try/", "adminUrl": admin,
            "kubeconfig": str(self.kubeconfig), "pid": os.getpid(),
            "operatorPid": self.operator.process.pid, "gatewayPid": self.gateway.process.pid}))
        fresh.rename(self.options.ready_file)


if __name__ == "__main__":
    sys.exit(ClusterDev(arguments()).run())
