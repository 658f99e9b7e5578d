# SPDX-License-Identifier: Apache-2.0


def seconds(item) -> float:
    mark = item.get_closest_marker("long")
    return mark.args[0] if mark else 0


def pytest_collection_modifyitems(items):
    """The longest first: no worker is left with one of them when the others are done."""
    items.sort(key=seconds, reverse=True)  # stable: the others stay beside those of their module
