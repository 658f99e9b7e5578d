# SPDX-License-Identifier: Apache-2.0
"""A network of the test's own, in which addresses can be lost. It is the calling thread's, and that of
all threads and processes that it starts meanwhile; the machine's stays as it is."""
import ctypes
import os
import subprocess
import threading

import pytest

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class PrivateNetwork:
    def __enter__(self) -> "PrivateNetwork":
        self.outside = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        if LIBC.unshare(CLONE_NEWNET) != 0:
            os.close(self.outside)
            pytest.skip("needs the right to make a network namespace (root)")
        self._ip("link", "set", "lo", "up")
        return self

    def __exit__(self, *_) -> None:
        assert LIBC.setns(self.outside, CLONE_NEWNET) == 0
        os.close(self.outside)

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def lose(self, address: str) -> None:
        """From here on every packet to it is dropped, and nobody is told."""
        self._ip("route", "add", "blackhole", f"{address}/32", "table", "local")

    def find(self, address: str) -> None:
        self._ip("route", "delete", "blackhole", f"{address}/32", "table", "local")
