# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest

import machine
from cluster import Cluster

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    lacks = machine.lacks()
    if lacks:
        pytest.skip(f"no node on this machine: {lacks}")
    cluster = Cluster(tmp_path_factory.mktemp("node") / "machine")
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def installed(cluster):
    """By dist/install.yaml, for all files but that of the chart, which is the first; it goes with the
    machine. The resource's definition stays when another installation has left it: one that is made again at once may have an API
    server tell of no change (seen with Kubernetes 1.34 and etcd 3.4)."""
    cluster.install()
    return cluster


@pytest.fixture
def space(cluster):
    """A namespace of the test's own; what is left in it goes with the machine."""
    name = f"test-{next(numbers)}"
    yield name
    cluster.kubectl("delete", "wsf", "--all", "-n", name, "--ignore-not-found", "--wait=false")
