# SPDX-License-Identifier: Apache-2.0
import pytest

from delivery import CLUSTER_BIN, ROOT, Chart, documents, kustomize, run
from schemas import write_schemas


@pytest.fixture(scope="session")
def chart():
    return Chart()


@pytest.fixture(scope="session")
def manifests():
    """deploy/default, as dist/install.yaml has it."""
    return documents(kustomize("default"))


@pytest.fixture(scope="session")
def kubeconform(tmp_path_factory):
    """Called with a text of manifests; fails where the API's own schemas refuse one of them."""
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(folder, ROOT)
    location = f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"

    def check(text: str) -> None:
        done = run(CLUSTER_BIN / "kubeconform", "-strict", "-summary", "-schema-location", location,
                   "-", input=text)
        assert done.returncode == 0, done.stdout + done.stderr
        assert " 0 resource" not in done.stdout
    return check
