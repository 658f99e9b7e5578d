# SPDX-License-Identifier: Apache-2.0
"""The operator's admin port on a real API server: whose token may do what (K30)."""
import subprocess

import pytest

from kubectl import wait_for
from rights import ACCOUNT


def account(api, namespace: str, name: str) -> str:
    """A new service account's token."""
    api.kubectl("create", "serviceaccount", name, "-n", namespace)
    return api.kubectl("create", "token", name, "-n", namespace).strip()


def bind(api, namespace: str, name: str, role: str) -> None:
    # No controller runs here that would add it to the role `view` (K32).
    api.kubectl("create", "rolebinding", f"{name}-{role}", f"--clusterrole={role}",
                f"--serviceaccount={namespace}:{name}", "-n", namespace)


@pytest.fixture
def replica(replicas):
    return replicas().await_leading()


def end(request_id: str = "0190-none") -> tuple[str, str]:
    return f"/sessions/{request_id}/end", "POST"


def test_K30_K32_who_may_see_a_namespace_sees_its_sessions_and_no_others(api, replica, namespace):
    token = account(api, namespace, "viewer")
    assert replica.ask(f"/sessions?namespace={namespace}", token)[0] == 403
    bind(api, namespace, "viewer", "wsf-view")
    # What was refused once is kept for 10 s.
    wait_for(lambda: replica.ask(f"/sessions?namespace={namespace}", token)[0] == 200, "it may")
    for path in ("/sessions?namespace=kube-system", "/sessions", "/metrics"):
        status, body = replica.ask(path, token)
        assert status == 403 and "not allowed" in body, (path, body)
    assert replica.ask(end()[0], token, "POST")[0] == 403


def test_K30_monitoring_needs_a_right_to_metrics_and_has_nothing_else(api, replica, namespace):
    token = account(api, namespace, "prometheus")
    assert replica.ask("/metrics", token)[0] == 403
    name = f"metrics-of-{namespace}"
    api.kubectl("create", "clusterrole", name, "--verb=get", "--non-resource-url=/metrics")
    api.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}",
                f"--serviceaccount={namespace}:prometheus")
    status, text = wait_for(lambda: (found := replica.ask("/metrics", token))[0] == 200 and found, "it may")
    assert 'wsf_refused_total{port="people",reason="right"} ' in text and status == 200
    assert replica.ask("/sessions", token)[0] == 403


@pytest.mark.parametrize("token", [None, "", "garbage", "e30.e30.e30"])
def test_K30_S22_a_token_that_the_api_server_does_not_know(replica, token):
    for path, method in (("/metrics", "GET"), ("/sessions", "GET"), end()):
        assert replica.ask(path, token, method)[0] == 401
    assert replica.ask("/elsewhere", token)[0] == 404


def test_K30_the_operators_own_token_sees_nothing(api, replica, system):
    token = api.kubectl("create", "token", "wsf-operator", "-n", system).strip()
    assert replica.ask("/sessions", token)[0] == 403


def test_K30_a_follower_asks_its_leader_with_the_same_token(api, replicas, namespace):
    leader = replicas("--leader-elect").await_leading()
    follower = replicas("--leader-elect").await_ready()
    token = account(api, namespace, "viewer")
    bind(api, namespace, "viewer", "wsf-view")
    wait_for(lambda: follower.ask(f"/sessions?namespace={namespace}", token)[0] == 200, "passed on")
    status, body = follower.ask("/sessions", token)
    assert status == 403 and "all namespaces" in body
    assert follower.ask("/sessions", None)[0] == 401
    assert leader.leads() and follower.ask("/metrics", token)[0] == 403


def test_U14_who_may_not_make_a_token_is_told_what_to_ask_for(api, programs, system, namespace):
    account(api, namespace, "nobody")
    kubeconfig = api.kubeconfig_of("nobody", namespace)

    def said(*flags: str) -> str:
        done = subprocess.run([str(programs / "wsf"), "sessions", f"--kubeconfig={kubeconfig}", *flags],
                              capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr
    assert f"the Role wsf-people in namespace {system}" in said(f"--system-namespace={system}")
    admin = subprocess.run([str(programs / "wsf"), "sessions", f"--kubeconfig={api.kubectl.kubeconfig}",
                            f"--system-namespace={namespace}"], capture_output=True, text=True, timeout=60)
    assert admin.returncode == 2 and "--system-namespace" in admin.stderr


def test_K30_two_calls_a_token_and_its_answer_is_kept(api, replica, namespace, system):
    token = account(api, namespace, "viewer")
    bind(api, namespace, "viewer", "wsf-view")
    wait_for(lambda: replica.ask(f"/sessions?namespace={namespace}", token)[0] == 200, "it may")

    def reviews() -> int:
        return sum(each["objectRef"]["resource"] == "subjectaccessreviews"
                   for each in api.events_of(ACCOUNT.format(system)) if "objectRef" in each)
    before = reviews()
    for _ in range(20):
        assert replica.ask(f"/sessions?namespace={namespace}", token)[0] == 200
    assert reviews() <= before + 1
