# SPDX-License-Identifier: Apache-2.0
"""A thousand handshakes at once with ten free instances (faults.md 53)."""
import selectors
import socket
import time

import pytest

from rig import FaultRig, field, upgrade_request, wait_for

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test

HANDSHAKES = 1000
FREE = 10
IN_TIME = 60.0  # seconds until every one of them has an answer, on a busy machine too


def answers(port: int) -> list[tuple[int, str, socket.socket]]:
    """Opens them all, then tells (number, head, socket) of each in the order of the answers."""
    selector = selectors.DefaultSelector()
    request = upgrade_request("/echo")
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(HANDSHAKES)]
    heads = {each: b"" for each in sockets}
    for each in sockets:
        each.sendall(request)
        each.setblocking(False)
        selector.register(each, selectors.EVENT_READ)
    found = []
    until = time.monotonic() + IN_TIME
    while selector.get_map():
        assert time.monotonic() < until, f"{len(selector.get_map())} have no answer"
        for key, _ in selector.select(1):
            each = key.fileobj
            heads[each] += each.recv(65536)
            if b"\r\n\r\n" in heads[each]:
                selector.unregister(each)
                found.append((sockets.index(each), heads[each].decode("latin-1"), each))
    return found


def test_fault_53_I1_S0_11_a_thousand_at_once_and_ten_are_free(tmp_path, programs):
    rig = FaultRig(tmp_path, programs, ["--set", f"warmInstances={FREE}",
                                        "--set", f"maxInstances={FREE}"], through_proxy=False)
    try:
        wait_for(lambda: rig.function().get("status", {}).get("free") == FREE, "ten are free")
        found = answers(rig.dev.port)
        served = [(number, head) for number, head, _ in found if " 101 " in head.split("\r\n")[0]]
        refused = [(number, head) for number, head, _ in found if (number, head) not in served]
        assert len(served) == FREE
        for _, head in refused:
            assert head.split()[1] == "429", head
            assert field(head, "X-Wsf-Status-Code") == "432"
            assert int(field(head, "Retry-After")) >= 1
        # First come, first served: all were sent in this order, one gateway took them in it.
        assert sorted(number for number, _ in served) == list(range(FREE)), "not the first ten"
        # Each on an instance of its own.
        live = wait_for(lambda: (lambda s: s if len(s) == FREE else None)(
            [line for line in rig.dev.output().split("\n") if line.startswith("+ ")]), "ten are live")
        assert len({line.split()[-1] for line in live}) == FREE
        for _, _, each in found:
            each.close()
        counters = rig.rest(FREE)
        assert counters["total"] == FREE
        assert counters["byCode"] == {"456": FREE}
    finally:
        rig.close()


def test_fault_53_H30_without_a_limit_the_rest_is_served_or_refused_in_time(tmp_path, programs):
    """Up to 200 may start, and a hundred are held; the rest is refused."""
    rig = FaultRig(tmp_path, programs, ["--set", "maxInstances=200", "--set", f"warmInstances={FREE}",
                                        "--gateway-flag", "--max-waiting=100"], through_proxy=False)
    try:
        wait_for(lambda: rig.function().get("status", {}).get("free") == FREE, "ten are free")
        found = answers(rig.dev.port)
        codes = [head.split()[1] for _, head, _ in found]
        assert set(codes) <= {"101", "503", "429"}
        assert FREE <= codes.count("101") <= 200
        assert all(field(head, "Retry-After") for _, head, _ in found if " 101 " not in head[:20])
        instances = [line.split()[-1] for line in rig.dev.output().split("\n")
                     if line.startswith("+ ")]
        assert len(instances) == len(set(instances)), "two sessions on an instance"
        for _, _, each in found:
            each.close()
        assert rig.rest(codes.count("101"))["established"] == codes.count("101")
    finally:
        rig.close()
