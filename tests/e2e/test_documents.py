# SPDX-License-Identifier: Apache-2.0
"""The commands that the documents print are run as they stand (but for the port)."""
import os
import pathlib
import re
import shlex
import subprocess

from dev_rig import wait_for
from sidecar_rig import free_port

ROOT = pathlib.Path(__file__).parent.parent.parent


def commands_of(document: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / document).read_text(), re.S)
    return [line for block in blocks for line in block.splitlines() if line]


def test_the_readmes_commands(tmp_path, programs):
    serve, connect, sessions = commands_of("README.md")
    port = str(free_port())
    ready = tmp_path / "ready"
    words = [word.replace("build/release/bin", str(programs)) for word in shlex.split(serve)]
    env = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    env["XDG_RUNTIME_DIR"] = str(tmp_path)  # another `wsf dev` may run on this machine
    server = subprocess.Popen([*words, "-p", port, f"--ready-file={ready}"], cwd=ROOT, env=env,
                              stdout=subprocess.DEVNULL)
    try:
        wait_for(ready.exists, "it serves")
        words = [word.replace("build/release/bin", str(programs)).replace("8080", port)
                 for word in shlex.split(connect)]
        done = subprocess.run(words, input="hello\n", capture_output=True, text=True, timeout=60,
                              cwd=ROOT)
        assert done.stdout.splitlines()[1] == "hello"
        words = [word.replace("build/release/bin", str(programs)) for word in shlex.split(sessions)]
        wait_for(lambda: " 200 " in subprocess.run(words, env=env, capture_output=True, text=True,
                                                   timeout=60).stdout, "the session is listed")
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_every_folder_has_a_short_readme():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True,
                             check=True).stdout.split()
    folders = {path.split("/")[0] for path in tracked if "/" in path and path[0] != "."}
    for folder in folders:
        lines = (ROOT / folder / "README.md").read_text().splitlines()
        assert len(lines) <= 25, folder
