# SPDX-License-Identifier: Apache-2.0
"""Who leads of the operators on `dev_on_cluster.py` with WSF_REPLICAS, and what happens when it ends."""
import os
import pathlib
import signal
import time

from cluster_sessions import children
from rig import FaultRig, wait_for

LEASE = "/apis/coordination.k8s.io/v1/namespaces/wsf-system/leases/wsf-operator"
ON_CLUSTER = pathlib.Path(__file__).parent / "dev_on_cluster.py"


def holder(rig: FaultRig) -> str:
    return rig.access().get(LEASE)["spec"]["holderIdentity"]


def leader(rig: FaultRig) -> int | None:
    place = holder(rig).rpartition("_")[2]
    for pid in children(rig, "wsf-operator"):
        try:
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            continue  # it has just ended
        if f"--sidecar-listen={place}:" in command:
            return pid
    return None


def end_leader(rig: FaultRig, number: signal.Signals) -> float:
    """Seconds from the signal to another's name in the Lease."""
    wait_for(lambda: len(children(rig, "wsf-operator")) == 2, "both run")
    before = holder(rig)
    pid = wait_for(lambda: leader(rig), "one leads")
    start = time.monotonic()
    os.kill(pid, number)
    wait_for(lambda: holder(rig) not in ("", before), "another leads", 90)
    return time.monotonic() - start
