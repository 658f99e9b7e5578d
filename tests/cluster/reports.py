# SPDX-License-Identifier: Apache-2.0
"""Reports to an operator by the real wsf-report, with whatever certificate and token."""
import base64
import dataclasses
import json
import pathlib
import subprocess
import time

from kubectl import ROOT, Kubectl
from pki import Authority, openssl

ACKNOWLEDGED, AGAIN, REFUSED = 0, 1, 4  # exit statuses, sidecar/report/reporter.h
AUDIENCE = "wsf-operator"


def encode(text: str, message: str = "wsf.v1.Report") -> bytes:
    """The message that this protobuf text says."""
    return subprocess.run(
        ["protoc", f"-I{ROOT / 'proto'}", f"--encode={message}", "wsf/v1/instance.proto"],
        input=text.encode(), check=True, capture_output=True, cwd=ROOT / "proto").stdout


def ended(uid: str, request_id: str = "r1", code: int = 200, **more) -> bytes:
    """A relay's report of its only session."""
    now = int(time.time() * 1e6)
    fields = {"request_id": request_id, "status_code": code, "request_start": now - 2_000_000,
              "established": now - 1_000_000, "ended": now, "duration_ms": 2000,
              "billed_ms": 1000, "status": "success", "reason": "Closed", **more}
    record = " ".join(f"{name}: {json.dumps(value)}" for name, value in fields.items())
    return encode(f'ended {{ pod_uid: {json.dumps(uid)} record {{ {record} }} instance_totals {{'
                  f' sessions_by_code {{ key: {code} value: 1 }} established: 1 billed_ms: 1000 }} }}')


def listening(uid: str, address: str) -> bytes:
    return encode(f"listening {{ pod_uid: {json.dumps(uid)} relay_address: {json.dumps(address)} }}")


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a caller shows: PEM texts, "" for none, and a bearer token."""
    authority: str
    certificate: str
    key: str
    token: str = ""

    def but(self, **more) -> "Identity":
        return dataclasses.replace(self, **more)


def of_pod(pod: dict, token: str) -> Identity:
    """What the operator has given to the pod's relay."""
    relay = pod["spec"]["containers"][0]
    given = {each["name"]: each.get("value", "") for each in relay["env"]}
    return Identity(given["WSF_OPERATOR_CA"], given["WSF_RELAY_CERT"], given["WSF_RELAY_KEY"], token)


def send(program: pathlib.Path, address: str, who: Identity, report: bytes,
         folder: pathlib.Path) -> tuple[int, str]:
    """wsf-report's exit status and what it says."""
    token = folder / "token"
    token.write_text(who.token)
    done = subprocess.run(
        [program, f"--operator={address}", f"--token-file={token}"], input=report,
        capture_output=True, timeout=60,
        env={"WSF_OPERATOR_CA": who.authority, "WSF_RELAY_CERT": who.certificate,
             "WSF_RELAY_KEY": who.key})
    return done.returncode, done.stderr.decode()


# ---- Tokens ----

def token_of(kubectl: Kubectl, namespace: str, pod: dict | None = None, audience: str = AUDIENCE,
             account: str = "default") -> str:
    """As a kubelet asks for it; without a pod, bound to none."""
    bound = []
    if pod is not None:
        bound = ["--bound-object-kind=Pod", f"--bound-object-name={pod['metadata']['name']}",
                 f"--bound-object-uid={pod['metadata']['uid']}"]
    return kubectl("create", "token", account, "-n", namespace, f"--audience={audience}",
                   *bound).strip()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token: str) -> dict:
    text = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def forge(token: str, key: pathlib.Path, folder: pathlib.Path, **claims) -> str:
    """The same token with other claims, signed with this key."""
    head = token.split(".")[0]
    text = head + "." + _base64(json.dumps({**claims_of(token), **claims}).encode())
    (folder / "text").write_text(text)
    openssl("dgst", "-sha256", "-sign", key, "-out", folder / "signature", folder / "text")
    return text + "." + _base64((folder / "signature").read_bytes())


def unsigned(token: str) -> str:
    head = _base64(json.dumps({"alg": "none", "typ": "JWT"}).encode())
    return f"{head}.{token.split('.')[1]}."


# ---- Certificates ----

def secret(kubectl: Kubectl, system: str, name: str, key: str) -> str:
    data = kubectl.get("secret", name, "-n", system)["data"]
    return base64.b64decode(data[key]).decode()


def foreign(folder: pathlib.Path, subject: str) -> tuple[str, str]:
    """A certificate that an authority of somebody else's has made, and its key."""
    authority = Authority(folder / "foreign")
    authority.issue("relay", subject)
    return ((authority.folder / "relay.crt").read_text(),
            (authority.folder / "relay.key").read_text())


def expired(folder: pathlib.Path, keys: str, certificate: str) -> tuple[str, str]:
    """A copy of the certificate, by the same authority, that was good until yesterday."""
    (folder / "authority.pem").write_text(keys)
    (folder / "real.crt").write_text(certificate)
    subject = subprocess.run(["openssl", "x509", "-in", folder / "real.crt", "-noout", "-subject",
                              "-nameopt", "compat"], check=True, capture_output=True,
                             text=True).stdout.strip().removeprefix("subject=").strip()
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            subject if subject.startswith("/") else "/" + subject, "-keyout", folder / "late.key",
            "-out", folder / "late.csr")
    openssl("x509", "-req", "-in", folder / "late.csr", "-CA", folder / "authority.pem", "-CAkey",
            folder / "authority.pem", "-set_serial", "1", "-days", "-1", "-out",
            folder / "late.crt")
    return (folder / "late.crt").read_text(), (folder / "late.key").read_text()
