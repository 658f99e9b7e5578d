# SPDX-License-Identifier: Apache-2.0
"""Images that come from registries, or do not."""
import pytest

from cluster import ECHO, SERVER
from kubectl import wait_for
from registry import PASSWORD, USER, Registry, silence

pytestmark = pytest.mark.usefixtures("installed")
NAME = ECHO.split("/", 1)[1]


@pytest.fixture(scope="module")
def registries(installed):
    made = [Registry(installed.machine, "registry.example", 5000),
            Registry(installed.machine, "closed.example", 5001, closed=True)]
    silent = silence(installed.machine, "silent.example", 5002)
    for each in made:
        each.push(ECHO)
    yield
    silent.close()
    for each in made:
        each.close()


def make(cluster, space: str, image: str, **spec) -> None:
    cluster.make(space, image=image, command=["python3", "-c", SERVER], **spec)


def test_K54_an_image_is_pulled_and_serves(cluster, registries, space):
    make(cluster, space, f"registry.example/{NAME}")
    peer, _ = cluster.open(space)
    cluster.talk(peer, "pulled")
    peer.send_close(1000)
    peer.expect_close(1000)
    cluster.await_codes(space, {"200": 1})


def test_H08_an_image_that_no_registry_has(cluster, registries, space):
    make(cluster, space, "registry.example/wsf/none:1")
    assert cluster.refused(space) == ("502", "444")


def test_H09_a_registry_that_never_answers(cluster, registries, space):
    make(cluster, space, f"silent.example/{NAME}", initTimeoutSeconds=5)
    assert cluster.refused(space) == ("504", "447")


def test_H08_an_image_that_asks_for_a_password_and_the_secret_that_has_it(cluster, registries, space):
    make(cluster, space, f"closed.example/{NAME}")
    assert cluster.refused(space) == ("502", "444")
    cluster.kubectl("create", "secret", "docker-registry", "pull", "-n", space, "--docker-server=closed.example",
                    f"--docker-username={USER}", f"--docker-password={PASSWORD}")
    cluster.kubectl("patch", "wsf", "f", "-n", space, "--type=merge", "-p",
                    '{"spec": {"imagePullSecrets": [{"name": "pull"}]}}')
    wait_for(lambda: " 101 " in cluster.ask(f"/{space}/f")[1].split("\r\n")[0], "it serves with the secret")
