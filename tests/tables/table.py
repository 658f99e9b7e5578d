# SPDX-License-Identifier: Apache-2.0
"""Tables of cases that tests of several languages share; table.h reads them for C++."""
import pathlib

import yaml


def in_full(value):
    """With what stands for something long in full: {repeat: x, times: n} is a text, {list: x,
    times: n} the list x0, x1 ...."""
    if isinstance(value, dict) and "times" in value:
        times = value["times"]
        return value["repeat"] * times if "repeat" in value else \
            [f"{value['list']}{i}" for i in range(times)]
    if isinstance(value, dict):
        return {key: in_full(each) for key, each in value.items()}
    return [in_full(each) for each in value] if isinstance(value, list) else value


def read(name: str) -> list[dict]:
    """The rows of the table `name`, in full."""
    return in_full(yaml.safe_load((pathlib.Path(__file__).parent / name).read_text()))
