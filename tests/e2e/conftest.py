# SPDX-License-Identifier: Apache-2.0
import os
import pathlib

import pytest

from dev_rig import DevRig
from sidecar_rig import SidecarRig

ROOT = pathlib.Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def programs() -> pathlib.Path:
    return pathlib.Path(os.environ.get("WSF_BIN", ROOT / "build" / "release" / "bin"))


@pytest.fixture(scope="session")
def wsf(tmp_path_factory, programs):
    """`wsf dev` with puppets; a Close is waited for one second only."""
    rig = DevRig(tmp_path_factory.mktemp("wsf"), programs, ["--set", "closeTimeoutSeconds=1", "--set",
                                                            "recordSubprotocol=true"])
    yield rig
    rig.close()


@pytest.fixture
def rig(tmp_path, programs):
    """A sidecar alone whose server listens."""
    rig = SidecarRig(tmp_path, programs)
    rig.start_server()
    yield rig
    rig.close()


@pytest.fixture(params=["sidecar", "wsf"])
def live(request):
    """A live session: through the sidecar alone, then through gateway and sidecar."""
    if request.param == "wsf":
        return request.getfixturevalue("wsf").connect()
    return request.getfixturevalue("rig").connect(settings={"closeTimeoutSeconds": 1})
