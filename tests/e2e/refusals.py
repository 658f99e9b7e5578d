# SPDX-License-Identifier: Apache-2.0
"""What every refusal of table 7.1 has in common."""
import json
import re

from dev_rig import Dev, wait_for
from peers import field


def refused_count(dev: Dev, reason: str) -> int:
    match = re.search(rf'wsf_handshakes_refused_total{{reason="{reason}"}} (\d+)', dev.metrics())
    return int(match.group(1)) if match else 0


def check_refusal(client, http_status, code, reason):
    """The JSON body and headers of a refusal; returns its head and the message."""
    head = client.receive_head()
    assert head.split()[1] == str(http_status), head
    body = json.loads(client.receive_all())
    assert body["errorCode"] == -1
    assert body["statusCode"] == code
    assert body["requestId"] == field(head, "X-Wsf-Request-Id")
    assert field(head, "X-Wsf-Reason") == reason
    assert field(head, "X-Wsf-Status-Code") == (str(code) if code else None)
    assert field(head, "Connection").startswith("close")
    return head, body["errorMessage"]


class Refused:
    """A refusal makes no record, but a log line and one more in the metric."""

    def __init__(self, dev, reason):
        self.dev, self.reason = dev, reason
        self.before = refused_count(dev, reason)
        self.records = len(dev.records())

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.check()

    def check(self):
        wait_for(lambda: refused_count(self.dev, self.reason) == self.before + 1, "the metric")
        assert len(self.dev.records()) == self.records
