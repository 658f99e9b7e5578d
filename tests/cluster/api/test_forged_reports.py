# SPDX-License-Identifier: Apache-2.0
"""Reports that are forged, replayed, expired or foreign: refused, told, and nothing is counted.

Tokens come from the real API server, and where no honest one would do, from its own signing key.
"""
import dataclasses
import pathlib

import pytest

import reports
from kubectl import function, wait_for
from replica import Replica
from reports import ACKNOWLEDGED, AGAIN, REFUSED, Identity, ended, listening, send, token_of

IMAGE = "localhost/none:1"
SLOW = {"image": IMAGE, "warmInstances": 1, "initTimeoutSeconds": 300}
HOUR = 3600


@dataclasses.dataclass
class Scene:
    """An operator with two functions, one instance each, in two namespaces."""
    api: object
    programs: pathlib.Path
    folder: pathlib.Path
    system: str
    replica: Replica
    space: str
    pod: dict  # whose session is to be forged
    neighbour: dict  # of another tenant
    stranger: dict  # a pod that nobody of us made
    dead: Identity  # of a pod that has gone

    @property
    def uid(self) -> str:
        return self.pod["metadata"]["uid"]

    @property
    def sidecars(self) -> str:
        return f"{self.replica.ip}:9443"

    @property
    def gateways(self) -> str:
        return f"{self.replica.ip}:9444"

    def who(self, pod: dict | None = None) -> Identity:
        pod = pod or self.pod
        token = token_of(self.api.kubectl, pod["metadata"]["namespace"], pod)
        given = self.pod if pod is self.stranger else pod
        return reports.of_pod(given, token)

    def with_claims(self, **claims) -> Identity:
        who = self.who()
        key = self.api.authority.folder / "accounts.key"
        return who.but(token=reports.forge(who.token, key, self.folder, **claims))

    def with_pod(self, **other) -> Identity:
        cluster = reports.claims_of(self.who().token)["kubernetes.io"]
        return self.with_claims(**{"kubernetes.io": {**cluster, "pod": {**cluster["pod"], **other}}})

    def send(self, who: Identity, report: bytes, address: str = "") -> tuple[int, str]:
        return send(self.programs / "wsf-report", address or self.sidecars, who, report, self.folder)

    def counted(self, space: str) -> dict:
        found = self.api.kubectl.get("wsf", "f", "-n", space).get("status", {})
        return found.get("sessions", {}).get("byCode", {})


def the_pod(api, space: str) -> dict:
    def found() -> dict | None:
        items = api.kubectl.get("pods", "-n", space, "-l", "wsf.dev/function=f")["items"]
        alive = [each for each in items if "deletionTimestamp" not in each["metadata"]]
        return alive[0] if len(alive) == 1 else None
    return wait_for(found, f"one pod in {space}")


def make_stranger(api, space: str) -> dict:
    api.kubectl.apply({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger", "namespace": space},
        "spec": {"securityContext": {"runAsNonRoot": True, "runAsUser": 1,
                                     "seccompProfile": {"type": "RuntimeDefault"}},
                 "containers": [{"name": "it", "image": IMAGE, "securityContext": {
                     "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}]}})
    return api.kubectl.get("pod", "stranger", "-n", space)


@pytest.fixture(scope="module")
def scene(api, programs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("forged")
    system = api.install("wsf-forged")
    spaces = [api.namespace(f"forged-{name}", **{"pod-security.kubernetes.io/enforce": "restricted"})
              for name in ("a", "b")]
    for space in spaces:
        api.kubectl.apply(function("f", space, **SLOW))
    replica = Replica(api, programs, folder, system)
    try:
        replica.await_leading()
        first = the_pod(api, spaces[0])
        dead = reports.of_pod(first, token_of(api.kubectl, spaces[0], first))
        api.kubectl("delete", "pod", first["metadata"]["name"], "-n", spaces[0])
        wait_for(lambda: the_pod(api, spaces[0])["metadata"]["uid"] != first["metadata"]["uid"],
                 "another instance is made")
        yield Scene(api, programs, folder, system, replica, spaces[0], the_pod(api, spaces[0]),
                    the_pod(api, spaces[1]), make_stranger(api, spaces[0]), dead)
    finally:
        replica.close()


def certificate(scene: Scene, pair: tuple[str, str]) -> Identity:
    return scene.who().but(certificate=pair[0], key=pair[1])


def gateways(scene: Scene) -> Identity:
    def part(key: str) -> str:
        return reports.secret(scene.api.kubectl, scene.system, "wsf-gateway-tls", key)
    return certificate(scene, (part("tls.crt"), part("tls.key")))


def expired(scene: Scene) -> Identity:
    keys = reports.secret(scene.api.kubectl, scene.system, "wsf-operator-keys", "relay-authorities.pem")
    return certificate(scene, reports.expired(scene.folder, keys, scene.who().certificate))


def self_signed_token(scene: Scene) -> Identity:
    who = scene.who()
    _, key = reports.foreign(scene.folder, "/CN=token")
    path = scene.folder / "foreign" / "accounts.key"
    assert key
    return who.but(token=reports.forge(who.token, path, scene.folder))


# No connection: the TLS handshake fails, which a relay takes for "not reached".
UNREACHED = {
    "no certificate": lambda s: s.who().but(certificate="", key=""),
    "another authority's certificate":
        lambda s: certificate(s, reports.foreign(s.folder, "/CN=wsf-relay")),
    "an expired certificate": expired,
    "a gateway's certificate": gateways,
}

# No pod, or another one than the report is about.
STRANGERS = {
    "no token": lambda s: s.who().but(token=""),
    "garbage for a token": lambda s: s.who().but(token="Zm9v.YmFy.YmF6"),
    "a token cut short": lambda s: s.who().but(token=s.who().token[:-20]),
    "a token for the API server": lambda s: s.who().but(token=token_of(
        s.api.kubectl, s.space, s.pod, "https://kubernetes.default.svc")),
    "an expired token": lambda s: s.with_claims(iat=1_700_000_000, nbf=1_700_000_000,
                                                exp=1_700_000_000 + HOUR),
    "a token that is not valid yet": lambda s: s.with_claims(nbf=4_000_000_000, exp=4_000_003_600),
    "a token without a signature": lambda s: s.who().but(token=reports.unsigned(s.who().token)),
    "a token of another issuer's key": self_signed_token,
    "a token of another issuer": lambda s: s.with_claims(iss="https://elsewhere.example"),
    "a token that is bound to no pod": lambda s: s.who().but(
        token=token_of(s.api.kubectl, s.space)),
    "the operator's own token": lambda s: s.who().but(token=token_of(
        s.api.kubectl, s.system, account="wsf-operator")),
    "a token of a pod that has gone": lambda s: s.dead,
    "the pod's name with another uid": lambda s: s.with_pod(uid="00000000-0000-4000-8000-000000000000"),
    "another pod's name with the uid": lambda s: s.with_pod(name="stranger"),
    "another namespace's name for the pod": lambda s: s.with_claims(**{"kubernetes.io": {
        **reports.claims_of(s.who().token)["kubernetes.io"], "namespace": "forged-b"}}),
    "the neighbour's token": lambda s: s.who(s.neighbour),
    "a stranger's token": lambda s: s.who(s.stranger),
}

# An honest caller's report about somebody else.
ABOUT_OTHERS = {
    "about the neighbour's pod": lambda s: s.neighbour["metadata"]["uid"],
    "about a stranger's pod": lambda s: s.stranger["metadata"]["uid"],
    "about no pod": lambda s: "",
    "about a pod that never was": lambda s: "00000000-0000-4000-8000-000000000000",
    "about a pod whose uid is no text of ours": lambda s: "../../x\\r\\n" * 20,
}


def check_nothing_happened(scene: Scene) -> None:
    for pod in (scene.pod, scene.neighbour):
        space, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        now = scene.api.kubectl.get("pod", name, "-n", space)
        assert now["metadata"]["uid"] == pod["metadata"]["uid"]
        assert "deletionTimestamp" not in now["metadata"]
        assert scene.counted(space) == {}
    assert not scene.replica.lines("session")


def refusals(scene: Scene) -> int:
    return len(scene.replica.lines("report refused"))


@pytest.mark.parametrize("name", UNREACHED)
@pytest.mark.parametrize("kind", ["listening", "ended"])
def test_fault_17_G25_K34_without_our_certificate_nothing_is_reached(scene, name, kind):
    who = UNREACHED[name](scene)
    report = ended(scene.uid) if kind == "ended" else listening(scene.uid, "127.0.0.1:17009")
    status, said = scene.send(who, report)
    assert status == AGAIN, said
    check_nothing_happened(scene)


def test_fault_17_G25_K34_a_relays_certificate_opens_no_gateway_port(scene):
    assert scene.send(scene.who(), ended(scene.uid), scene.gateways)[0] == AGAIN
    check_nothing_happened(scene)


@pytest.mark.parametrize("name", STRANGERS)
def test_fault_17_G25_S8_an_end_with(scene, name):
    before = refusals(scene)
    assert scene.send(STRANGERS[name](scene), ended(scene.uid)) == (
        REFUSED, "wsf-report: not this pod's token\n")
    assert refusals(scene) == before + 1, "it is told"
    check_nothing_happened(scene)


@pytest.mark.parametrize("name", STRANGERS)
def test_fault_17_G25_no_claim_token_for(scene, name):
    before = refusals(scene)
    status, _ = scene.send(STRANGERS[name](scene), listening(scene.uid, "127.0.0.1:17009"))
    assert status == REFUSED
    assert refusals(scene) == before + 1, "it is told"


@pytest.mark.parametrize("name", ABOUT_OTHERS)
def test_fault_17_G25_S14_a_report(scene, name):
    before = refusals(scene)
    assert scene.send(scene.who(), ended(ABOUT_OTHERS[name](scene)))[0] == REFUSED
    assert refusals(scene) == before + 1, "it is told"
    check_nothing_happened(scene)


def test_S14_a_report_that_is_too_long(scene):
    status, said = scene.send(scene.who(), ended(scene.uid, close_reason="x" * 70_000))
    assert status == AGAIN and "larger than max" in said
    check_nothing_happened(scene)


def test_S8_S14_a_relay_that_says_it_is_elsewhere(scene):
    """Else clients' handshakes would be sent there, cookies and all."""
    scene.api.kubectl("patch", "pod", scene.pod["metadata"]["name"], "-n", scene.space,
                      "--subresource=status", "--type=merge", "-p",
                      '{"status": {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}}')
    wait_for(lambda: scene.send(scene.who(), listening(scene.uid, "127.0.0.9:17009")) == (
        REFUSED, "wsf-report: not this pod's address\n"), "the pod's own address is known")
    assert scene.send(scene.who(), listening(scene.uid, "127.0.0.1:80"))[0] == REFUSED
    check_nothing_happened(scene)


# The last ones: the pods are used up.

def test_I4_fault_16_a_report_and_its_replays_are_counted_once(scene):
    who, report = scene.who(), ended(scene.uid)
    assert scene.send(who, report)[0] == ACKNOWLEDGED
    wait_for(lambda: scene.counted(scene.space) == {"200": 1}, "it is counted")
    # Its pod has gone, and with it all that its token could say (S18).
    for again in (report, ended(scene.uid, code=500), ended(scene.uid, request_id="r2")):
        assert scene.send(who, again)[0] == REFUSED
    assert scene.counted(scene.space) == {"200": 1}
    assert len(scene.replica.lines("session")) == 1


def test_S14_a_record_says_nothing_of_whose_it_is(scene):
    pod, before = scene.neighbour["metadata"], scene.counted(scene.space)
    report = ended(pod["uid"], namespace=scene.space, function="f", instance="other",
                   pod_uid=scene.uid, revision="r", close_reason='"}\\n{"msg":"session"}\\033[31m')
    assert scene.send(scene.who(scene.neighbour), report)[0] == ACKNOWLEDGED
    wait_for(lambda: scene.counted(pod["namespace"]) == {"200": 1}, "its own function has it")
    assert scene.counted(scene.space) == before
    line = scene.replica.lines("session")[-1]
    assert (line["namespace"], line["instance"], line["podUid"]) == (
        pod["namespace"], pod["name"], pod["uid"])
