# SPDX-License-Identifier: Apache-2.0
"""Real clients do the same on `wsf dev` and on a real API server, and see the same: what they print,
and every request of theirs with its answer (U20, G28)."""
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys

import pytest
import yaml

from alike import is_of_an_object, outline, plain
from dev_rig import Dev
from kubectl import DEADLINE, KUBERNETES, ROOT, TOOLS
from recorder import Recorder

# One worker goes through all of it.
pytestmark = [pytest.mark.timeout(300), pytest.mark.long(60)]
STEPS = yaml.safe_load((ROOT / "tests" / "tables" / "kubectl_steps.yaml").read_text())
KUBECTL = str(KUBERNETES / "kubectl")


class Servers:
    """The same clients on both; `ask` gives what they printed and what was said, of each."""

    def __init__(self, api, dev: Dev, folder: pathlib.Path):
        self.folder = folder
        self.recorders = {
            "real": Recorder(api.authority.folder / "admin.kubeconfig", folder / "real"),
            "embedded": Recorder(pathlib.Path(dev.ready["kubeconfig"]), folder / "embedded")}

    def ask(self, command, stdin: str = "", **env: str) -> dict[str, dict]:
        """`command` makes a command line of a kubeconfig."""
        told = {}
        for name, recorder in self.recorders.items():
            done = subprocess.run(
                command(recorder.kubeconfig), input=stdin, text=True, timeout=DEADLINE,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env={**os.environ, "HOME": str(self.folder / name), **env})
            said, recorder.exchanges[:] = list(recorder.exchanges), []
            told[name] = {
                "status": done.returncode, "printed": plain(done.stdout).splitlines(),
                "requests": len(said),
                "said": sorted((outline(each) for each in said if is_of_an_object(each)),
                               key=lambda each: (each["at"], each["do"], each["status"]))}
        return told

    def close(self) -> None:
        for recorder in self.recorders.values():
            recorder.close()


@pytest.fixture
def servers(api, tmp_path, programs):
    folder = tmp_path
    dev = Dev(folder / "dev", programs, ["/bin/sleep", "1000000"])
    # It would write statuses, on one side only.
    os.kill(dev.ready["operatorPid"], signal.SIGSTOP)
    servers = Servers(api, dev, folder)
    try:
        yield servers
    finally:
        servers.close()
        os.kill(dev.ready["operatorPid"], signal.SIGCONT)
        dev.close()


@pytest.fixture
def kubectl(servers) -> dict[str, dict]:
    told = {}
    for step in STEPS:
        def command(kubeconfig: pathlib.Path) -> list[str]:
            words = shlex.split(re.sub(r"([\[{].*[\]}])", lambda found: shlex.quote(found[1]),
                                       step["run"]))
            return [KUBECTL, f"--kubeconfig={kubeconfig}", "-n", "alike", *words]
        stdin = json.dumps(step["in"]) if "in" in step else ""
        told[step["name"]] = servers.ask(command, stdin,
                                         KUBE_EDITOR="sed -i '" + step.get("edit", "") + "'")
    return told


def compare(told: dict[str, dict], differs: str, own_words: bool = False) -> None:
    real, embedded = ({key: value for key, value in told[name].items() if key != "requests"}
                      for name in ("real", "embedded"))
    if own_words:
        assert real.pop("printed") and embedded.pop("printed")
    if differs:
        assert real != embedded, "a difference less: strike it from the list"
    else:
        assert embedded == real, json.dumps({"real": real, "embedded": embedded}, indent=1)


def test_G28_U20_kubectl(kubectl):
    """All that fails is told: a script is one test, since each of its steps stands on those before."""
    wrong = []
    for step in STEPS:
        try:
            compare(kubectl[step["name"]], step.get("differs", ""), step.get("words") == "ours")
        except AssertionError as error:
            wrong.append(f"{step['name']}: {error}")
    assert not wrong, "\n".join(wrong)
    assert sum(len(each["real"]["said"]) for each in kubectl.values()) >= 150


@pytest.fixture
def python(servers) -> dict[str, dict]:
    servers.ask(lambda config: [KUBECTL, f"--kubeconfig={config}", "create", "namespace", "python"])
    return servers.ask(lambda config: [
        "/usr/bin/python3", str(ROOT / "tests" / "cluster" / "python_client.py"), str(config),
        "python"])


def test_G28_U20_the_python_client(python):
    assert python["real"]["status"] == 0, python["real"]["printed"]
    assert python["real"]["printed"][-1] == "events: done"
    compare(python, "")


def test_G28_U20_an_informer_of_client_go(servers):
    servers.ask(lambda config: [KUBECTL, f"--kubeconfig={config}", "create", "namespace", "informer"])
    told = servers.ask(lambda config: [str(TOOLS / "informer"), str(config), "informer"])
    assert told["real"]["printed"] == [
        "added before", "added one", "updated one", "added two", "updated two", "deleted before",
        "deleted one", "deleted two"]
    compare(told, "")
