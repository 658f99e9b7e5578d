# SPDX-License-Identifier: Apache-2.0
"""Addresses that no other process of the tests has: this one's own block of 127.0.0.0/8."""
import functools
import ipaddress
import itertools
import socket
from collections.abc import Iterator

CLAIM = 9440  # on a block's first address, bound for as long as the process lives
BLOCKS = range(128, 255)  # those below are of `wsf dev`


@functools.cache
def _addresses() -> tuple[socket.socket, Iterator[str]]:
    for block in BLOCKS:
        first = ipaddress.ip_address(f"127.{block}.0.1")
        try:
            claim = socket.create_server((str(first), CLAIM))
        except OSError:
            continue
        return claim, (str(first + number) for number in itertools.count(1))
    raise RuntimeError("every block of loopback is taken")


def address() -> str:
    """Another one at each call."""
    return next(_addresses()[1])
