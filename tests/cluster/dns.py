# SPDX-License-Identifier: Apache-2.0
"""dns.py ADDRESS KUBECTL KUBECONFIG: the cluster's DNS, as much of it as Services need: an A record
for NAME.NAMESPACE.svc.cluster.local, asked of the API server at each question."""
import json
import socket
import struct
import subprocess
import sys

SUFFIX = ".svc.cluster.local"
NO_ERROR, NO_SUCH_NAME = 0, 3


def question_of(packet: bytes) -> tuple[str, int, int]:
    """The name, its type, and where the question ends."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii", "replace").lower())
        at += packet[at] + 1
    return ".".join(labels), struct.unpack("!H", packet[at + 1:at + 3])[0], at + 5


def address_of(kubectl: list[str], name: str) -> str | None:
    service, _, namespace = name.removesuffix(SUFFIX).partition(".")
    if not name.endswith(SUFFIX) or "." in namespace:
        return None
    done = subprocess.run([*kubectl, "get", "service", service, "-n", namespace, "-o", "json"],
                          capture_output=True, text=True)
    return json.loads(done.stdout)["spec"]["clusterIP"] if done.returncode == 0 else None


def main() -> None:
    kubectl = [sys.argv[2], f"--kubeconfig={sys.argv[3]}"]
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((sys.argv[1], 53))
    while True:
        packet, client = server.recvfrom(1500)
        name, kind, end = question_of(packet)
        address = address_of(kubectl, name)
        records = []
        if address is not None and kind == 1:
            records = [struct.pack("!HHHIH", 0xC00C, 1, 1, 5, 4) + socket.inet_aton(address)]
        code = NO_SUCH_NAME if address is None else NO_ERROR
        server.sendto(packet[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(records), 0, 0) +
                      packet[12:end] + b"".join(records), client)


main()
