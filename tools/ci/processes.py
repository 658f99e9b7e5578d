# SPDX-License-Identifier: Apache-2.0
"""The processes that a tier started: all of them, whatever session they moved to, for the tier is the
subreaper of its descendants."""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
END_SECONDS = 30.0  # for which processes are given SIGKILL
TICKS = os.sysconf("SC_CLK_TCK")
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    state: str
    started: int  # ticks since the machine's start: with the pid, a name that is never used again
    command: str

    @property
    def age(self) -> float:
        """Seconds."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.started / TICKS


def find(pid: int) -> Process | None:
    """A process that has not been reaped."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    text = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return Process(pid, int(fields[1]), fields[0], int(fields[19]), text)


def everything() -> list[Process]:
    pids = (int(entry.name) for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in map(find, pids) if process is not None]


def descendants() -> list[Process]:
    """Of this process, parents before their children; without those that are only to be reaped."""
    children: dict[int, list[Process]] = {}
    for process in everything():
        children.setdefault(process.parent, []).append(process)
    found, left = [], [os.getpid()]
    while left:
        for child in children.get(left.pop(0), []):
            found.append(child)
            left.append(child.pid)
    return [process for process in found if process.state != "Z"]


def adopt_orphans() -> None:
    """From here on a descendant whose parent ends becomes this process's child."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent() -> None:
    """Called in a child before its exec."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def end(processes: list[Process]) -> None:
    for process in processes:
        now = find(process.pid)
        if now is not None and now.started == process.started:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def end_all(find_them) -> None:
    """Until `find_them` finds none, since one that is being ended may just have started another; but
    not for ever: what the kernel does not let go of is named."""
    until = time.monotonic() + END_SECONDS
    while left := find_them():
        end(left)
        reap_all_but(0)
        if time.monotonic() > until:
            return print(f"these could not be ended:\n{describe(left)}", flush=True)
        time.sleep(0.01)
    reap_all_but(0)


def reap_all_but(pid: int) -> None:
    """The children that have ended, orphans of others among them; `pid` is its own waiter's."""
    try:
        while child := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if child.si_pid == pid:
                return
            os.waitpid(child.si_pid, 0)
    except ChildProcessError:
        pass


def describe(processes: list[Process]) -> str:
    return "\n".join(f"  {each.pid:>8} {each.state} {each.age:6.0f} s  {each.command[:160]}"
                     for each in processes if each.command)


def print_stacks(processes: list[Process]) -> None:
    """gdb tells those of our programs; Python's write their own as they abort (faulthandler)."""
    ours = [each for each in processes
            if pathlib.Path(each.command.split(" ")[0]).name.startswith("wsf-")]
    for process in ours[:6] if shutil.which("gdb") else []:
        print_native_stack(process)
    for process in processes:
        if "pytest" in process.command:
            try:
                os.kill(process.pid, signal.SIGABRT)
            except ProcessLookupError:
                pass


def print_native_stack(process: Process) -> None:
    try:
        told = subprocess.run(
            ["gdb", "-p", str(process.pid), "-batch", "-nx", "-ex", "thread apply all bt 12"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
    except subprocess.TimeoutExpired:
        return
    frames = [line for line in told.splitlines() if line.startswith(("#", "Thread"))]
    print(f"  stack of {process.pid} {process.command[:80]}", *frames, sep="\n    ", flush=True)
