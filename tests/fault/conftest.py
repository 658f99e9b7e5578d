# SPDX-License-Identifier: Apache-2.0
import os
import pathlib

import pytest

from rig import ROOT


@pytest.fixture(scope="session")
def programs() -> pathlib.Path:
    return pathlib.Path(os.environ.get("WSF_BIN", ROOT / "build" / "release" / "bin"))
