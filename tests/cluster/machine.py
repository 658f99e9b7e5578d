# SPDX-License-Identifier: Apache-2.0
"""A whole Kubernetes node with real pods: one private machine (mount, network, process, IPC and
host-name namespaces of its own) that ends as a whole with its first process."""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

import images
from kubectl import TOOLS, Kubectl, Refused, wait_for
from pki import Authority

HERE = pathlib.Path(__file__).parent
ADDRESS = "10.250.0.1"  # of the node, in a network that nothing leaves
NEEDS = ("unshare", "nsenter", "etcd", "containerd", "ctr", "runc", "iptables", "ip", "gcc")
CLONE_NEWNET = 0x40000000


def lacks() -> str:
    """What this machine cannot do that a node needs; "" = nothing."""
    missing = [name for name in NEEDS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}; make cluster-tools installs them"
    if not pathlib.Path("/usr/lib/cni/bridge").exists():
        return "not installed: containernetworking-plugins; make cluster-tools installs it"
    if not pathlib.Path("/sys/fs/cgroup/memory").is_dir():
        return "no cgroup v1 hierarchies below /sys/fs/cgroup"
    probe = subprocess.run(["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork",
                            "ip", "link", "add", "probe0", "type", "bridge"], capture_output=True)
    return "" if probe.returncode == 0 else f"no namespaces: {probe.stderr.decode().strip()}"


class Machine:
    """Ready when constructed; everything is below `folder`."""

    def __init__(self, folder: pathlib.Path):
        folder.mkdir(parents=True)
        self.folder = folder
        self.group = f"wsf-test-{os.getpid()}"
        self._write_pki()
        self._write_configuration()
        images.write_pause(folder / "pause.tar")
        self.log = folder / "init.log"
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--mount-proc",
             "--propagation", "private", "--kill-child=SIGKILL", str(HERE / "machine-init"),
             str(folder), str(TOOLS), self.group], stdin=subprocess.DEVNULL,
            stdout=self.log.open("wb"), stderr=subprocess.STDOUT, start_new_session=True)
        try:
            first = wait_for(self._first_process, "the machine's first process")
            self.prefix = ["nsenter", "-t", str(first), "-m", "-n", "-p", "-i", "-u", "--"]
            self.network = os.open(f"/proc/{first}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            self.kubectl = Kubectl(folder / "pki" / "admin.kubeconfig", self.prefix)
            wait_for(self._is_ready, "the node is ready")
        except BaseException:
            self.close()
            raise

    def _first_process(self) -> int | None:
        assert self.process.poll() is None, self.log.read_text()
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = children.read_text().split()
        return int(found[0]) if found else None

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            node = self.kubectl.find("node", "node1")
            account = self.kubectl.find("serviceaccount", "default", "-n", "default")
        except Refused:
            return False
        ready = node is not None and any(each["type"] == "Ready" and each["status"] == "True"
                                         for each in node["status"]["conditions"])
        return ready and account is not None

    def _write_pki(self) -> None:
        self.authority = authority = Authority(self.folder / "pki")
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        authority.issue("server", "/CN=kube-apiserver", ",".join(
            [f"IP:{ADDRESS}", "IP:127.0.0.1", "IP:10.96.0.1", *(f"DNS:{each}" for each in names)]))
        authority.issue("kubelet-server", "/CN=node1", f"IP:{ADDRESS},DNS:node1")
        authority.issue("kubelet-client", "/O=system:masters/CN=kube-apiserver")
        for name, subject in (("admin", "/O=system:masters/CN=admin"),
                              ("controllers", "/CN=system:kube-controller-manager"),
                              ("scheduler", "/CN=system:kube-scheduler"),
                              ("kubelet", "/O=system:nodes/CN=system:node:node1"),
                              ("proxy", "/CN=system:kube-proxy")):
            authority.issue(name, subject)
            authority.kubeconfig(name, f"https://{ADDRESS}:6443")

    def _write_configuration(self) -> None:
        folder = self.folder
        (folder / "cni").mkdir()
        (folder / "cni" / "10-bridge.conflist").write_text(json.dumps({
            "cniVersion": "0.4.0", "name": "pods", "plugins": [
                {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True,
                 "hairpinMode": True, "ipam": {
                     "type": "host-local", "ranges": [[{"subnet": "10.244.0.0/22"}]],
                     "routes": [{"dst": "0.0.0.0/0"}], "dataDir": f"{folder}/addresses"}}]}))
        (folder / "resolv.conf").write_text(f"nameserver {ADDRESS}\n")
        (folder / "kubelet.json").write_text(json.dumps({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "address": ADDRESS, "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{self.group}",
            "failCgroupV1": False, "failSwapOn": False, "protectKernelDefaults": True,
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                               "x509": {"clientCAFile": f"{folder}/pki/ca.crt"}},
            "tlsCertFile": f"{folder}/pki/kubelet-server.crt",
            "tlsPrivateKeyFile": f"{folder}/pki/kubelet-server.key",
            "clusterDNS": [ADDRESS], "clusterDomain": "cluster.local",
            "resolvConf": f"{folder}/resolv.conf", "maxPods": 500, "serializeImagePulls": False,
            # The default rate makes twenty pods take a quarter of a minute.
            "kubeAPIQPS": 200, "kubeAPIBurst": 400, "eventRecordQPS": 0,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%",
                             "imagefs.available": "1%", "nodefs.inodesFree": "1%"},
            "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99}))
        unused = ["aufs", "btrfs", "zfs", "devmapper"]
        (folder / "containerd.toml").write_text("\n".join([
            "version = 2", f'root = "{folder}/containerd/root"',
            f'state = "{folder}/containerd/state"',
            f"disabled_plugins = {[f'io.containerd.snapshotter.v1.{each}' for each in unused]}",
            "[grpc]", f'address = "{folder}/containerd.sock"',
            '[plugins."io.containerd.grpc.v1.cri"]', f'sandbox_image = "{images.PAUSE}"',
            "disable_apparmor = true", "disable_hugetlb_controller = true",
            "tolerate_missing_hugetlb_controller = true",
            # A container may have no right to lower the score of its own children.
            "restrict_oom_score_adj = true", 'stream_server_address = "127.0.0.1"',
            '[plugins."io.containerd.grpc.v1.cri".registry]', f'config_path = "{folder}/registries"',
            '[plugins."io.containerd.grpc.v1.cri".cni]', 'bin_dir = "/usr/lib/cni"',
            f'conf_dir = "{folder}/cni"',
            '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]',
            'runtime_type = "io.containerd.runc.v2"',
            '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]',
            f'Root = "{folder}/runc"', ""]))

    # ---- What tests do with it ----

    def run(self, *command: str) -> str:
        return subprocess.run([*self.prefix, *command], check=True, capture_output=True,
                              text=True).stdout

    def load(self, archive: pathlib.Path) -> None:
        """An image archive as `make images` writes it."""
        self.run("ctr", "-a", f"{self.folder}/containerd.sock", "-n", "k8s.io", "images", "import",
                 str(archive))

    def push(self, reference: str, address: str, user: str = "") -> None:
        """An image that is loaded, to the registry at that address, without TLS."""
        ctr = ["ctr", "-a", f"{self.folder}/containerd.sock", "-n", "k8s.io", "images"]
        there = address + "/" + reference.split("/", 1)[1]
        self.run(*ctr, "tag", reference, there)
        self.run(*ctr, "push", "--plain-http", *(["--user", user] if user else []), there)
        self.run(*ctr, "rm", there)

    def inside(self, what):
        """What `what` returns, called within the machine's network."""
        made: list = []

        def enter() -> None:
            # A thread's own: the rest of the process stays where it is.
            libc = ctypes.CDLL(None, use_errno=True)
            try:
                if libc.setns(self.network, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
                made.append(what())
            except BaseException as error:  # raised again by the caller
                made.append(error)
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if isinstance(made[0], BaseException):
            raise made[0]
        return made[0]

    def dial(self, host: str, port: int) -> socket.socket:
        return self.inside(lambda: socket.create_connection((host, port), timeout=60))

    def processes(self, program: str) -> list[int]:
        """Those of the machine that run a program of that name, by this side's numbers."""
        children: dict[int, list[int]] = {}
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            left += children.get(pid, [])
            try:
                name = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
            except OSError:
                continue
            if pathlib.Path(name).name == program:
                found.append(pid)
        return found

    def close(self) -> None:
        """The first process takes all others with it; then their control groups can go."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

        def is_removed() -> bool:
            left = [each for each in pathlib.Path("/sys/fs/cgroup").glob(f"*/{self.group}")]
            for root in left:
                for folder in sorted(root.rglob("*"), reverse=True):
                    if folder.is_dir():
                        try:
                            folder.rmdir()
                        except OSError:
                            pass
                try:
                    root.rmdir()
                except OSError:
                    pass
            return not any(root.exists() for root in left)
        wait_for(is_removed, "the control groups are gone", 30)
