# SPDX-License-Identifier: Apache-2.0
"""tools/ci/tier: a tier ends at its limit, tells what it did, and leaves nothing behind."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from dev_rig import wait_for

ROOT = pathlib.Path(__file__).parent.parent.parent
TABLE = "| tier | shows | warm | limit |\n|---|---|---|---|\n| short | | 1 | 0.05 |\n| long | | 1 | 5 |\n"
# Leaves its session, forgets its environment, and outlives its parent.
DAEMON = "setsid env -i sleep 1000 & echo daemon $! | tee daemon; "


@pytest.fixture
def tree(tmp_path):
    """A tree of which only the tiers' tool is there, with a table of its own."""
    shutil.copytree(ROOT / "tools" / "ci", tmp_path / "tools" / "ci")
    (tmp_path / "CONTRIBUTING.md").write_text(TABLE)
    return tmp_path


def start(tree: pathlib.Path, tier: str, command: str) -> subprocess.Popen:
    return subprocess.Popen([tree / "tools" / "ci" / "tier", tier, "sh", "-c", command], cwd=tree,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(tree: pathlib.Path, tier: str, command: str) -> tuple[int, str]:
    process = start(tree, tier, command)
    output, _ = process.communicate(timeout=100)
    return process.returncode, output


def is_running(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def daemon(tree: pathlib.Path) -> int:
    return int((tree / "daemon").read_text().split()[1])


def test_a_tier_that_does_not_end_is_ended_with_all_its_processes(tree):
    status, output = run(tree, "short", DAEMON + "echo secret > said.log; sleep 1000")
    assert status == 1
    assert "its limit of 0.05 min is over" in output and "sleep 1000" in output
    assert re.search(r"^tier short: 0 passed, 1 failed, 0 skipped, \d+ s$", output, re.M)
    assert not is_running(daemon(tree))


def test_what_a_tier_leaves_running_is_named_and_ended(tree):
    status, output = run(tree, "long", DAEMON)
    assert status == 0 and "tier long left running" in output
    assert output.strip().endswith(" s") and "tier long: 1 passed, 0 failed" in output
    assert not is_running(daemon(tree))


def test_a_tier_counts_its_reports_and_its_command(tree):
    report = ('<testsuite><testcase classname="c" name="a"/><testcase classname="c" name="b">'
              "<skipped/></testcase></testsuite>")
    write = f"mkdir -p build/reports; echo '{report}' > build/reports/long-part.xml"
    assert "tier long: 1 passed, 0 failed, 1 skipped" in run(tree, "long", write)[1]
    # A command that fails although none of its tests did.
    status, output = run(tree, "long", write + "; exit 3")
    assert status == 1 and "tier long: 1 passed, 1 failed, 1 skipped" in output


def test_what_an_interrupted_tier_left_is_removed_by_the_next(tree):
    process = start(tree, "long", "env > said; sleep 1000 & echo daemon $! > daemon; wait")
    wait_for(lambda: (tree / "daemon").exists() and (tree / "daemon").read_text(), "it runs")
    folder = re.search(r"^WSF_TIER_FOLDER=(.*)$", (tree / "said").read_text(), re.M)[1]
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = daemon(tree)
    assert is_running(left) and os.path.exists(folder)
    run(tree, "long", "true")
    assert not is_running(left)
    assert not os.path.exists(folder)
