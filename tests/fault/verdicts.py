# SPDX-License-Identifier: Apache-2.0
"""Which status codes a session of the soak may be recorded with, from what was done to it."""
import dataclasses

# What its client and server did, where nobody interfered (behaviour.md, tables 7.1 and 7.2).
OWN = {"client 1000": {200}, "client 4001": {456}, "client fin": {456}, "client rst": {456},
       "/close/1000": {200}, "/close/4000": {439}, "/drop": {439}, "/exit/0": {439},
       "/exit/7": {439}, "/refuse": {200}}
# A part that is killed (P18, P21, E21); one that is only stopped for a while changes nothing.
OF_PART = {"wsf-sidecar": 500, "wsf-gateway": 456, "wsf-test-server": 439}
# Seconds behind a session's end in which a strike may still have been its end: a gateway and a server
# are over with it, but the record of a killed relay is made from what it had written before.
SLACK = {"wsf-sidecar": 1.0, "wsf-gateway": 0.05, "wsf-test-server": 0.05}


@dataclasses.dataclass
class Session:
    """A handshake that was answered with a request id."""
    request_id: str
    end: str
    since: float  # Unix seconds, before its handshake
    established: bool


@dataclasses.dataclass
class Strike:
    """A signal to one process: `pod_uid` is that of its instance, "" for a gateway or operator. It was
    sent between `since` and `until`."""
    since: float
    until: float
    program: str
    what: str  # kill, stop
    pod_uid: str


def allowed(session: Session, pod_uid: str, ended: float, strikes: list[Strike]) -> set[int]:
    """One code where none of its own parts was killed."""
    codes = set(OWN[session.end])
    for strike in strikes:
        if strike.what != "kill" or strike.program not in OF_PART:
            continue
        is_own = strike.program == "wsf-gateway" or strike.pod_uid == pod_uid
        is_within = session.since <= strike.until and strike.since <= ended + SLACK[strike.program]
        if is_own and is_within:
            codes.add(OF_PART[strike.program])
            if not session.established:
                codes |= {443, 499, 500}  # H16, H19, H26: it was killed in the handshake
    return codes


def judge(sessions: list[Session], records: list[dict], strikes: list[Strike], seconds):
    """Returns what is wrong, and the share of records for which exactly one code was right.
    `seconds` makes Unix seconds of a record's times."""
    by_id = {session.request_id: session for session in sessions}
    wrong, exact = [], 0
    for record in records:
        session = by_id.get(record["requestId"])
        if session is None:  # its client never got an answer: a gateway was killed
            continue
        codes = allowed(session, record["podUid"], seconds(record["ended"]), strikes)
        exact += len(codes) == 1
        if record["statusCode"] not in codes:
            wrong.append(f"{session.end}: {record['statusCode']} instead of {sorted(codes)}: "
                         f"{record}")
    return wrong, exact / max(1, len(records))
