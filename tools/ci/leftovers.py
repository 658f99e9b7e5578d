# SPDX-License-Identifier: Apache-2.0
"""What a tier may leave behind outside the tree, and its removal. Each tier has one folder, FOLDERS
with its `owner`, that holds its temporary files; its processes bear the folder in their environment
(MARK), its control groups and network namespaces are called wsf-test-PID."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import processes

FOLDERS = "wsf-ci-"
MARK = "WSF_TIER_FOLDER"
GROUP = re.compile(r"wsf-test-(\d+)")


def make_folder() -> pathlib.Path:
    folder = pathlib.Path(tempfile.mkdtemp(prefix=FOLDERS, dir="/tmp"))
    me = processes.find(os.getpid())
    (folder / "new").write_text(f"{me.pid} {me.started}")
    (folder / "new").rename(folder / "owner")  # never seen half written
    return folder


def is_owned(folder: pathlib.Path) -> bool:
    pid, started = map(int, (folder / "owner").read_text().split())
    owner = processes.find(pid)
    return owner is not None and owner.started == started


def clean() -> None:
    """What interrupted tiers left; what a living one has stays."""
    for owner in pathlib.Path("/tmp").glob(f"{FOLDERS}*/owner"):
        if not is_owned(owner.parent):
            print(f"an interrupted tier left {owner.parent}: removed", flush=True)
            remove(owner.parent)
    for group in control_groups():
        if processes.find(int(GROUP.fullmatch(group.name)[1])) is None:
            remove_group(group)
    for space in pathlib.Path("/run/netns").glob("wsf-test-*"):
        maker = GROUP.fullmatch(space.name)
        if maker is not None and processes.find(int(maker[1])) is None:
            subprocess.run(["ip", "netns", "delete", space.name], check=False)


def remove(folder: pathlib.Path) -> None:
    processes.end_all(lambda: marked(folder))
    for place in mounts_below(folder):
        subprocess.run(["umount", "--lazy", place], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def marked(folder: pathlib.Path) -> list[processes.Process]:
    mark = f"{MARK}={folder}".encode()
    found = []
    for process in processes.everything():
        try:
            environment = pathlib.Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if process.state != "Z" and process.pid != os.getpid() and mark in environment:
            found.append(process)
    return found


def mounts_below(folder: pathlib.Path) -> list[str]:
    """The innermost first."""
    places = [line.split(" ")[1] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    return [place for place in reversed(places) if place.startswith(f"{folder}/")]


def control_groups() -> list[pathlib.Path]:
    """Of either version: a version 1 has a folder for each kind of limit above them."""
    root = pathlib.Path("/sys/fs/cgroup")
    found = [*root.glob("wsf-test-*"), *root.glob("*/wsf-test-*")]
    return [group for group in found if GROUP.fullmatch(group.name)]


def remove_group(group: pathlib.Path) -> None:
    for folder in sorted([group, *group.rglob("*/")], reverse=True):
        try:
            members = (folder / "cgroup.procs").read_text().split()
            processes.end([each for each in map(processes.find, map(int, members)) if each])
            folder.rmdir()
        except OSError:
            pass  # a member has not gone yet: the next tier tries again
