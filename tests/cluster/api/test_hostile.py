# SPDX-License-Identifier: Apache-2.0
"""What somebody gets who may write WebSocketFunctions and wants more: of a real API server that
enforces Pod Security `restricted`, and of a real operator (faults.md S11, G22)."""
import itertools
import json

import pytest

import golden
import table
from kubectl import Refused, function, wait_for
from replica import Replica

CASES = table.read("hostile_functions.yaml")
GOLDEN = golden.read()
GRANTS = ("--public-url=wss://ws.example.com", "--own-host=WS.example.org",
          "--hosts=neighbour=neighbour.example.com",
          "--max-message-bytes=1048576", "--max-requests-per-second=100")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def operator(api, programs, tmp_path_factory):
    """The installation's own one, in whose namespace the default names of a Service are."""
    system = api.install("wsf-system")
    replica = Replica(api, programs, tmp_path_factory.mktemp("hostile"), system, GRANTS)
    yield replica.await_leading()
    replica.close()


@pytest.fixture(scope="module")
def neighbour(api, operator):
    """Somebody whose function must go on."""
    name = api.namespace("neighbour", **RESTRICTED)
    api.kubectl.apply(function("theirs", name, image="a", warmInstances=1,
                               route={"hosts": ["neighbour.example.com"]}))
    pod, = wait_for(lambda: api.kubectl.pods(name), "the neighbour's pod")
    return name, pod["metadata"]["uid"]


def write(api, made: dict) -> str:
    """What the API server has against it; "" = nothing."""
    try:
        api.kubectl("create", "--validate=strict", "-f", "-", stdin=json.dumps(made))
    except Refused as error:
        return str(error)
    return ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_G22_S11_K11_K21_K22_a_hostile_function_is_refused_or_harmless(api, operator, neighbour, case):
    space = api.namespace(f"hostile-{next(numbers)}", **RESTRICTED)
    name = case.get("called", "f")
    refusal = write(api, function(name, space, **{"warmInstances": 1, **case["spec"]}))
    if "refused" in case:
        assert case["refused"] in refusal
        return
    assert refusal == ""
    if "denied" in case:
        stalled = wait_for(lambda: api.kubectl.condition(space, name, "Stalled").get("status") == "True"
                           and api.kubectl.condition(space, name, "Stalled"), "the function is told")
        assert stalled["reason"] == "InvalidSpec" and case["denied"] in stalled["message"]
        assert api.kubectl.pods(space) == []
    elif "fails" in case:
        ready = wait_for(lambda: case["fails"] in api.kubectl.condition(space, name, "Ready").get(
            "message", "") and api.kubectl.condition(space, name, "Ready"), "the function is told")
        assert ready["status"] == "False"
        assert api.kubectl.pods(space) == []
    else:
        # Created in a namespace that enforces restricted, and nothing but what it may say differs.
        pod, = wait_for(lambda: api.kubectl.pods(space), "its pod")
        unforeseen = [path for path in golden.differences(pod, GOLDEN)
                      if not path.startswith(tuple(case.get("may", [])))]
        assert unforeseen == []
    api.kubectl("delete", "wsf", name, "-n", space)
    # Everybody else's goes on, with the same instance.
    where, uid = neighbour
    assert [each["metadata"]["uid"] for each in api.kubectl.pods(where)] == [uid]
    assert api.kubectl.condition(where, "theirs", "Stalled")["status"] == "False"
    assert operator.process.poll() is None


def test_K20_K21_K23_K24_the_pod_of_a_function_that_asks_for_nothing(api, operator):
    space = api.namespace("hostile-golden", **RESTRICTED)
    api.kubectl.apply(function("f", space, image="a", warmInstances=1))
    pod, = wait_for(lambda: api.kubectl.pods(space), "its pod")
    assert golden.shape(pod) == GOLDEN


def test_G22_a_function_as_large_as_may_be_stops_nobody(api, operator, neighbour):
    """Its pod, and its status, do not fit where it did: its own harm."""
    space = api.namespace("hostile-large", **RESTRICTED)
    huge = [{"name": f"V{number}", "value": "x" * 32000} for number in range(46)]
    assert write(api, function("f", space, image="a", warmInstances=1, env=huge)) == ""
    after = api.namespace("hostile-after", **RESTRICTED)
    api.kubectl.apply(function("mine", after, image="a", warmInstances=1))
    wait_for(lambda: api.kubectl.pods(after), "another's pod")
    wait_for(lambda: api.kubectl.condition(after, "mine", "Stalled").get("status") == "False", "its status")
    api.kubectl("delete", "wsf", "f", "-n", space)
    wait_for(lambda: api.kubectl.pods(space) == [], "nothing is left of it")
