# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest

from apiserver import ApiServer
from kubectl import ROOT, wait_for
from replica import Replica
from rights import OPERATOR

CRD = ROOT / "deploy" / "crd" / "websocketfunctions.wsf.dev.yaml"
numbers = itertools.count(1)


@pytest.fixture(scope="session")
def api(tmp_path_factory):
    api = ApiServer(tmp_path_factory.mktemp("cluster") / "api")
    api.kubectl("apply", "--server-side", "-f", str(CRD))
    wait_for(lambda: "websocketfunctions" in api.kubectl("api-resources"), "the CRD is served")
    yield api
    refused = api.refused_calls(f":{OPERATOR}")
    api.close()
    assert not refused, f"the operator called what it may not (K30): {refused}"


@pytest.fixture
def namespace(api):
    """One of the test's own, that demands restricted pods."""
    return api.namespace(f"test-{next(numbers)}",
                         **{"pod-security.kubernetes.io/enforce": "restricted"})


@pytest.fixture
def system(api):
    """A namespace as an installation makes it: accounts, rights and empty Secrets."""
    return api.install(f"wsf-{next(numbers)}")


@pytest.fixture
def replicas(api, programs, tmp_path, system):
    """Starts replicas of the operator of `system`; all end with the test."""
    started = []

    def start(*flags: str, of: str = system) -> Replica:
        replica = Replica(api, programs, tmp_path, of, flags)
        started.append(replica)
        return replica
    yield start
    for replica in started:
        replica.close()
