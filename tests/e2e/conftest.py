# SPDX-License-Identifier: Apache-2.0
import os
import pathlib

import pytest

from sidecar_rig import SidecarRig

ROOT = pathlib.Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def programs() -> pathlib.Path:
    return pathlib.Path(os.environ.get("WSF_BIN", ROOT / "build" / "release" / "bin"))


@pytest.fixture
def rig(tmp_path, programs):
    """A sidecar whose server listens."""
    rig = SidecarRig(tmp_path, programs)
    rig.start_server()
    yield rig
    rig.close()


@pytest.fixture
def live(rig):
    """A live session, all settings at their defaults."""
    return rig.connect()


@pytest.fixture
def live_with_close_timeout_1(rig):
    return rig.connect(settings={"closeTimeoutSeconds": 1})
