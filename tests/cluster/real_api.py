# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin: runs tests of `wsf dev` on a real API server, all but those that
`real_api_differs.txt` names, each with its reason. A name there that no collected file has is an
error, so that the list never outlives its tests."""
import os
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent
LIST = HERE / "real_api_differs.txt"


def differing() -> dict[str, str]:
    """Reason by FILE::TEST, or by FILE for all of its tests."""
    pairs = [line.split(" ", 1) for line in LIST.read_text().splitlines()
             if line and not line.startswith("#")]
    return {name: reason.strip() for name, reason in pairs}


def pytest_configure(config):
    os.environ["WSF_DEV"] = str(HERE / "dev_on_cluster.py")


def pytest_collection_modifyitems(config, items):
    named = differing()
    kept, left, used = [], [], set()
    for item in items:
        test = f"{item.path.name}::{item.originalname}"
        name = next((each for each in (test, item.path.name) if each in named), None)
        used.add(name)
        (left if name else kept).append(item)
    files = {item.path.name for item in items}
    stale = [name for name in named if name not in used and name.split("::")[0] in files]
    if stale:
        raise pytest.UsageError(f"{LIST.name} names what is no test: {', '.join(stale)}")
    config.hook.pytest_deselected(items=left)
    items[:] = kept


def pytest_terminal_summary(terminalreporter):
    for name, reason in differing().items():
        terminalreporter.write_line(f"not on a real API server: {name}: {reason}")
