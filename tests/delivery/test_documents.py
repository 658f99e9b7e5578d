# SPDX-License-Identifier: Apache-2.0
"""docs/kubernetes.md and docs/operations.md: their helm commands are rendered here; the first three, the
upgrade, the way back and the uninstall are carried out on a node by tests/cluster."""
import pathlib
import re
import shlex
import shutil

import pytest
import yaml

from delivery import CLUSTER_BIN, KUBE_VERSION, ROOT, kustomize, run

INSTALL, OPERATE = ((ROOT / "docs" / each).read_text() for each in ("kubernetes.md", "operations.md"))
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", INSTALL + OPERATE, re.S)
            for line in block.splitlines() if line]
RENDERED = [line for line in COMMANDS if re.match(r"helm (install|upgrade) ", line)]


def test_section_5_three_commands_come_first():
    first = re.search(r"```sh\n(.*?)```", INSTALL, re.S)[1].splitlines()
    assert [line.split()[0] for line in first] == ["helm", "kubectl", "kubectl"]


@pytest.mark.parametrize("command", RENDERED)
def test_k51_every_helm_command_of_the_document_renders(kubeconform, command):
    words = shlex.split(command)
    assert words[1:4] in (["install", "wsf", "charts/wsf"], ["upgrade", "wsf", "charts/wsf"])
    rest = [word for word in words[4:] if word not in ("--wait", "--reset-then-reuse-values",
                                                       "--create-namespace")]
    done = run(CLUSTER_BIN / "helm", "template", "wsf", "charts/wsf", *rest, "--kube-version",
               KUBE_VERSION, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    kubeconform(done.stdout)


def test_every_file_that_a_command_names_is_there():
    for command in COMMANDS:
        for word in shlex.split(command):
            if word.startswith(("deploy/", "charts/")):
                assert (ROOT / word).exists(), command
    assert len(COMMANDS) > len(RENDERED) > 4


def test_k51_the_values_that_the_document_names_exist(chart):
    values = yaml.safe_load((ROOT / "charts/wsf/values.yaml").read_text())
    names = re.findall(r"`((?:gateway|operator|allow|networkPolicy|certManager|crds)\.[A-Za-z.]+)",
                       INSTALL + OPERATE)
    assert len(names) > 10
    for name in names:
        part = values
        for step in name.rstrip(".").split("."):
            assert step in part, name
            part = part[step]


def test_k50_the_documents_kustomization_builds_and_leaves_no_image_of_ours(tmp_path):
    text = re.search(r"```yaml\n(.*?)```", INSTALL, re.S)[1]
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    folder = pathlib.Path(tmp_path / "deploy" / "mine")
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(text)
    rendered = kustomize("mine", tmp_path / "deploy")
    assert "localhost/wsf" not in rendered
    assert rendered.count("registry.example.com/wsf/") == 3
