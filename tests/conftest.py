# SPDX-License-Identifier: Apache-2.0
import os


def seconds(item) -> float:
    mark = item.get_closest_marker("long")
    return mark.args[0] if mark else 0


def dealt(items: list, workers: int) -> list:
    """xdist gives each worker a run of neighbours to start with: one of them would get all that is long."""
    run = max(len(items) // (4 * workers), 2)
    first, rest = items[:run * workers], items[run * workers:]
    return [item for worker in range(workers) for item in first[worker::workers]] + rest


def pytest_collection_modifyitems(items):
    """The longest first: no worker is left with one of them when the others are done."""
    items.sort(key=seconds, reverse=True)  # stable: the others stay beside those of their module
    items[:] = dealt(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))
