# SPDX-License-Identifier: Apache-2.0
"""What a cluster does to live sessions, and users to their pods: evictions, drains, rollouts, pods that
are deleted by force, servers that are stubborn."""
import concurrent.futures
import json

import pytest

from cluster import SERVER, SYSTEM
from kubectl import wait_for

pytestmark = pytest.mark.usefixtures("installed")


def test_K25_P17_an_eviction_ends_the_session_and_is_the_platforms(cluster, space):
    cluster.make(space)
    peer, instance = cluster.open(space)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": instance, "namespace": space}}
    cluster.kubectl("create", "--raw", f"/api/v1/namespaces/{space}/pods/{instance}/eviction", "-f", "-",
                    stdin=json.dumps(eviction))
    assert peer.receive().code == 1001
    cluster.await_codes(space, {"500": 1})
    cluster.await_gone(space)


def test_P17_H07_a_node_is_drained_and_has_room_again(cluster, space):
    cluster.make(space, initTimeoutSeconds=3)
    peer, _ = cluster.open(space)
    try:
        cluster.kubectl("drain", "node1", "--pod-selector=wsf.dev/function", "--ignore-daemonsets",
                        "--delete-emptydir-data", "--timeout=100s")
        assert peer.receive().code == 1001
        cluster.await_codes(space, {"500": 1})
        assert cluster.refused(space) == ("503", "449"), "no node takes pods"
    finally:
        cluster.kubectl("uncordon", "node1")
    wait_for(lambda: " 101 " in cluster.ask(f"/{space}/f")[1].split("\r\n")[0], "it serves again")


def test_P16_a_pod_that_is_deleted_by_force_is_counted_and_gone(cluster, space):
    cluster.make(space)
    peer, instance = cluster.open(space)
    cluster.kubectl("delete", "pod", instance, "-n", space, "--grace-period=0", "--force", "--wait=false")
    peer.receive_all()
    wait_for(lambda: cluster.status(space).get("sessions", {}).get("total") == 1, "it is counted")
    code, = cluster.status(space)["sessions"]["byCode"]
    assert code in ("499", "500"), "by whether the relay could still report"
    cluster.await_gone(space)


def test_I1_twenty_cold_starts_at_once(cluster, space):
    cluster.make(space, resources={"limits": {"memory": "64Mi"}}, initTimeoutSeconds=100)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        opened = list(pool.map(lambda _: cluster.open(space), range(20)))
    assert len({instance for _, instance in opened}) == 20
    for number, (peer, _) in enumerate(opened):
        cluster.talk(peer, f"number {number}")
        peer.send_close(1000)
        peer.expect_close(1000)
    cluster.await_codes(space, {"200": 20})
    cluster.await_gone(space)


# Keeps something in its HOME, as notebooks and editors do.
HOMELY = 'touch "$HOME/.cache" && exec python3 -c "$0"'


def test_H11_K10_a_server_that_cannot_write_its_home_says_so_and_one_variable_mends_it(cluster, space):
    def say() -> str:
        return cluster.kubectl("get", "events", "-n", space) + cluster.kubectl(
            "get", "wsf", "f", "-n", space, "-o", "yaml")
    cluster.make(space, command=["sh", "-c", HOMELY, SERVER], env=[{"name": "HOME", "value": "/root"}])
    assert cluster.refused(space) == ("502", "405")
    wait_for(lambda: "Permission denied" in say(), "the server's own words are told")
    cluster.kubectl("patch", "wsf", "f", "-n", space, "--type=merge", "-p",
                    '{"spec": {"env": [{"name": "HOME", "value": "/tmp"}]}}')
    wait_for(lambda: " 101 " in cluster.ask(f"/{space}/f")[1].split("\r\n")[0], "it serves")


def test_E01_a_shell_that_stays_before_its_server_and_takes_no_signal(cluster, space):
    cluster.make(space, command=["sh", "-c", 'trap "" TERM; python3 -c "$0"; true', SERVER])
    peer, _ = cluster.open(space)
    peer.send_close(1000)
    peer.expect_close(1000)
    cluster.await_codes(space, {"200": 1})
    cluster.await_gone(space)


def test_P20_a_rollout_of_gateways_refuses_nobody_and_lets_sessions_end(cluster, space):
    cluster.make(space, warmInstances=1)
    peer, _ = cluster.open(space)

    def gateways() -> set[str]:
        return {each["metadata"]["name"] for each in cluster.kubectl.get(
            "pods", "-n", SYSTEM, "-l", "app.kubernetes.io/name=wsf-gateway")["items"]}
    old = gateways()
    assert old
    cluster.kubectl("rollout", "restart", "deployment/wsf-gateway", "-n", SYSTEM)
    served = 0

    def is_over() -> bool:
        nonlocal served
        _, head = cluster.ask(f"/{space}/f")
        assert " 101 " in head.split("\r\n")[0], head
        served += 1
        deployment = cluster.kubectl.get("deployment", "wsf-gateway", "-n", SYSTEM)
        status = deployment["status"]
        return (status.get("observedGeneration") == deployment["metadata"]["generation"] and
                status.get("updatedReplicas") == status.get("replicas") == status.get("readyReplicas"))
    wait_for(is_over, "the new gateways serve")
    assert served > 1
    cluster.talk(peer, "still by the old one")
    assert gateways() & old, "it waits for its session"
    peer.send_close(1000)
    peer.expect_close(1000)
    wait_for(lambda: not gateways() & old, "the old gateways have gone")
