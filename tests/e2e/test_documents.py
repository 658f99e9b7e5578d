# SPDX-License-Identifier: Apache-2.0
"""The commands that the documents print are run as they stand (but for the port)."""
import os
import pathlib
import re
import shlex
import subprocess

from dev_rig import Dev, wait_for
from kube_access import FUNCTIONS, KubeAccess
from ports import free_port

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


def rows_of(document: str) -> list[list[str]]:
    lines = (ROOT / document).read_text().splitlines()
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines
            if line.startswith("| `")]


def spec_with(path: str, value: int) -> dict:
    outer, _, inner = path.rpartition(".")
    spec = {outer: {inner: value}} if outer else {inner: value}
    # So that no other rule is in the way.
    spec.setdefault("idleTimeoutSeconds", 0)
    return {"command": ["true"], **spec}


def test_S3_22_U16_the_limits_page_says_what_is_accepted(tmp_path, programs):
    dev = Dev(tmp_path, programs, ["true"], ["--runtime", "none"])
    try:
        api = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), tmp_path)

        def accepted(name: str, path: str, value: int) -> bool:
            status, body = api.call("POST", FUNCTIONS, {
                "apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
                "metadata": {"name": name}, "spec": spec_with(path, value)})
            assert status in (201, 422), body
            return status == 201
        rows = [row for row in rows_of("docs/limits.md") if re.match(r"\d+-\d+", row[2])]
        assert len(rows) == 14
        for number, (path, _, allowed, _) in enumerate(rows):
            low, high = map(int, re.match(r"(\d+)-(\d+)", allowed).groups())
            zero = low == 0 or allowed.endswith(", 0")
            for value, fits in ((low, True), (high, True), (high + 1, False), (low - 1, False),
                                (0, zero)):
                name = f"limit-{number}-{abs(value)}-{fits}".lower()
                api.call("DELETE", f"{FUNCTIONS}/{name}")
                assert accepted(name, path, value) == (fits or (value == 0 and zero)), (path, value)
    finally:
        dev.close()


def test_every_folder_has_a_short_readme():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True,
                             check=True).stdout.split()
    folders = {path.split("/")[0] for path in tracked if "/" in path and path[0] != "."}
    for folder in folders:
        lines = (ROOT / folder / "README.md").read_text().splitlines()
        assert len(lines) <= 25, folder
