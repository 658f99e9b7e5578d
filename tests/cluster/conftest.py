# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / each) for each in ("e2e", "fault", "tables")]


@pytest.fixture(scope="session")
def programs() -> pathlib.Path:
    return pathlib.Path(os.environ.get("WSF_BIN", ROOT / "build" / "release" / "bin"))
