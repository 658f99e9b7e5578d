# SPDX-License-Identifier: Apache-2.0
"""Ports for programs that must be told one. Below the kernel's range for outgoing connections: from
within it another program's connection may take the port at any moment."""
import pathlib
import random
import socket

FIRST = 10000
LAST = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


def free_port() -> int:
    while True:
        port = random.randrange(FIRST, max(LAST, FIRST + 1000))
        try:
            with socket.create_server(("0.0.0.0", port)):
                return port
        except OSError:
            continue


def free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)
