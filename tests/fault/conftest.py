# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import sys

import pytest

from rig import ROOT

sys.path.insert(0, str(ROOT / "tests" / "tables"))


@pytest.fixture(scope="session")
def programs() -> pathlib.Path:
    return pathlib.Path(os.environ.get("WSF_BIN", ROOT / "build" / "release" / "bin"))
