# SPDX-License-Identifier: Apache-2.0
"""Plays wsf-report for tests of the sidecar alone: acknowledges, hands out CLAIM_TOKEN, and appends
the kind of each report to REPORTS."""
import os
import sys

message = sys.stdin.buffer.read()
LISTENING = 0x0A  # field 1 of wsf.v1.Report, length-delimited
kind = "listening" if message[0] == LISTENING else "ended"
with open(os.environ["REPORTS"], "a", encoding="utf-8") as reports:
    reports.write(kind + "\n")
if kind == "listening":
    token = os.environ["CLAIM_TOKEN"].encode()
    sys.stdout.buffer.write(bytes([0x0A, len(token)]) + token)
