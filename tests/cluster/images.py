# SPDX-License-Identifier: Apache-2.0
"""Images of one static program each, made here: the node's sandbox and a bench's server."""
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile

PAUSE = "localhost/test/pause:1"
SOURCE = """
#include <signal.h>
#include <unistd.h>
static void end(int number) { (void)number; _exit(0); }
int main(void) { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }
"""


def add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def write_image(path: pathlib.Path, reference: str, program: pathlib.Path) -> None:
    """An archive of one layer that holds the program, which is the entry point."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        add(archive, program.name, program.read_bytes(), 0o755)
    digest = "sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps({"architecture": "amd64", "os": "linux",
                         "config": {"Entrypoint": [f"/{program.name}"]},
                         "rootfs": {"type": "layers", "diff_ids": [digest]}}).encode()
    manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        add(archive, "config.json", config)
        add(archive, "layer.tar", layer.getvalue())
        add(archive, "manifest.json", json.dumps(manifest).encode())


def write_pause(path: pathlib.Path) -> None:
    program = path.with_name("pause")
    subprocess.run(["gcc", "-static", "-Os", "-x", "c", "-o", str(program), "-"], check=True,
                   input=SOURCE.encode())
    write_image(path, PAUSE, program)
