# SPDX-License-Identifier: Apache-2.0
"""docs/kubernetes.md and docs/operations.md on a node: their commands as they stand, and what an uninstall
leaves."""
import pathlib
import re
import shlex
import subprocess
import threading

import pytest

from cluster import SYSTEM
from kubectl import DEADLINE, ROOT, TOOLS, wait_for



def blocks_of(document: str) -> list[list[str]]:
    text = (ROOT / "docs" / document).read_text()
    return [block.splitlines() for block in re.findall(r"```sh\n(.*?)```", text, re.S)]


INSTALL, SAMPLE, CONNECT = blocks_of("kubernetes.md")[0]
TEST, UPGRADE, UNINSTALL = blocks_of("operations.md")[0]
ROLLBACK, = next(block for block in blocks_of("operations.md") if "rollback" in block[0])
CHART = "charts/wsf"
SECRETS = ("wsf-operator-keys", "wsf-gateway-tls")
# Of an installation; the API itself and helm's store make others.
KINDS = "deployments,pods,services,secrets,leases,roles,rolebindings,jobs,configmaps"


class Shell:
    """Runs commands of the document within the machine, in the checkout."""

    def __init__(self, cluster):
        self.prefix = cluster.machine.prefix
        self.kubeconfig = cluster.kubectl.kubeconfig

    def _words(self, command: str) -> list[str]:
        program, *words = shlex.split(command)
        # Nobody types here: no terminal.
        words = ["-i" if word == "-it" else word for word in words]
        return [*self.prefix, "env", f"--chdir={ROOT}", f"KUBECONFIG={self.kubeconfig}",
                str(TOOLS / program), *words]

    def __call__(self, command: str, *more: str) -> str:
        done = subprocess.run([*self._words(command), *more], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=400)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def type(self, command: str, line: str, answer: str) -> str:
        """Types a line and leaves when the answer stands there; returns all that was said."""
        process = subprocess.Popen(self._words(command), stdin=subprocess.PIPE, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        watchdog = threading.Timer(DEADLINE, process.kill)
        watchdog.start()
        process.stdin.write(line + "\n")
        process.stdin.flush()
        said = ""
        while answer not in said:
            more = process.stdout.readline()
            assert more, said
            said += more
        said += process.communicate()[0]
        watchdog.cancel()
        assert process.returncode == 0, said
        return said


@pytest.fixture(scope="module")
def shell(cluster):
    """With the chart installed."""
    cluster.machine.load(ROOT / "build" / "images" / "wsf-runtime-python.tar")
    shell = Shell(cluster)
    shell(INSTALL)
    cluster.await_rolled_out()
    yield shell
    cluster.uninstall()


def data_of(cluster) -> list[dict]:
    return [cluster.kubectl.get("secret", name, "-n", SYSTEM)["data"] for name in SECRETS]


def test_K51_K55_a_newcomers_three_commands_end_in_an_echo(cluster, shell):
    shell(SAMPLE)
    wait_for(lambda: cluster.status("default", "echo-python").get("free") == 1, "it is warm")
    # Its greeting comes before kubectl has attached, or after.
    shell.type(CONNECT, "good morning", "< good morning")
    cluster.await_codes("default", {"200": 1}, "echo-python")
    cluster.kubectl("delete", "-f", str(ROOT / SAMPLE.split()[-1]))
    cluster.await_gone("default")


def test_K51_helm_test_makes_an_echo_and_finds_its_code(cluster, shell):
    assert re.search(r"wsf-test-client\n.*\n.*\nPhase: +Succeeded", shell(TEST))
    assert cluster.kubectl.find("wsf", "wsf-test", "-n", SYSTEM) is None


def chart_before(folder: pathlib.Path) -> pathlib.Path:
    """The chart of the previous commit; a checkout without history has none, and its own is as good."""
    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True)
    known = git("rev-parse", "--verify", "--quiet", "HEAD~1^{commit}").returncode == 0
    archive = git("archive", "HEAD~1" if known else "HEAD", "charts/wsf")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder / "charts" / "wsf"


def test_K51_K33_an_upgrade_from_the_chart_before_keeps_live_sessions_and_filled_secrets(
        cluster, shell, space, tmp_path):
    shell(UPGRADE.replace(CHART, str(chart_before(tmp_path))), "--set", "operator.surplusSeconds=51")
    cluster.await_rolled_out()
    cluster.make(space)
    peer, _ = cluster.open(space)
    before, leader = data_of(cluster), cluster.leader()
    shell(UPGRADE, "--set", "operator.surplusSeconds=50")
    wait_for(lambda: cluster.leader() != leader, "an operator of the new revision leads")
    assert data_of(cluster) == before
    cluster.talk(peer, "still here")
    peer.send_close(1000)
    peer.expect_close(1000)
    cluster.await_codes(space, {"200": 1})


def test_K51_a_rollback_keeps_live_sessions(cluster, shell, space):
    shell(UPGRADE, "--set", "operator.surplusSeconds=52")
    cluster.await_rolled_out()
    cluster.make(space)
    peer, _ = cluster.open(space)
    leader = cluster.leader()
    shell(ROLLBACK)
    wait_for(lambda: cluster.leader() not in ("", leader), "an operator of the revision before leads")
    cluster.talk(peer, "still here")
    peer.send_close(1000)
    peer.expect_close(1000)
    cluster.await_codes(space, {"200": 1})


# The last one: nothing is installed after it.
def test_K51_an_uninstall_with_live_sessions_leaves_nothing_and_does_not_hang(cluster, shell, space):
    cluster.make(space, warmInstances=1)
    peers = [cluster.open(space)[0] for _ in range(2)]
    url = cluster.status(space)["url"]
    shell(UNINSTALL)
    for peer in peers:
        peer.receive_all()
    cluster.await_gone(space)
    status = cluster.status(space)
    assert status["sessions"]["byCode"] == {"499": 2} and status["uncounted"] == []
    assert status["url"] == url

    def left() -> list[str]:
        return [f"{each['kind']}/{each['metadata']['name']}" for each
                in cluster.kubectl.get(KINDS, "-n", SYSTEM)["items"]
                if each["metadata"]["name"] != "kube-root-ca.crt"]
    try:
        wait_for(lambda: left() == [], "the namespace is empty")
    except AssertionError:
        raise AssertionError(left()) from None
    for kind in ("clusterroles", "clusterrolebindings"):
        names = [each["metadata"]["name"] for each in cluster.kubectl.get(kind)["items"]]
        assert not [name for name in names if name.startswith("wsf")]
    assert cluster.kubectl.get("crd", "websocketfunctions.wsf.dev")
