# SPDX-License-Identifier: Apache-2.0
"""Self-signed certificates for tests."""
import datetime
import pathlib
import ssl
import subprocess


def make_certificate(folder: pathlib.Path, *names: str) -> pathlib.Path:
    """`folder` with tls.crt and tls.key for `names`, as a Secret is mounted; the files are put
    there by a rename each."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder.parent / (folder.name + ".new")
    fresh.mkdir(exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", f"/CN={names[0]}",
         "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
         "-keyout", fresh / "tls.key", "-out", fresh / "tls.crt"], check=True, capture_output=True)
    for name in ("tls.key", "tls.crt"):
        (fresh / name).rename(folder / name)
    return folder


def not_after(pem: str) -> datetime.datetime:
    """When a certificate ends."""
    line = subprocess.run(["openssl", "x509", "-noout", "-enddate"], input=pem, check=True,
                          capture_output=True, text=True).stdout
    return datetime.datetime.strptime(line.strip(), "notAfter=%b %d %H:%M:%S %Y GMT")


def issuer(pem: str) -> str:
    """The name of that which has signed a certificate."""
    return subprocess.run(["openssl", "x509", "-noout", "-issuer"], input=pem, check=True,
                          capture_output=True, text=True).stdout.strip()


def client_context(*folders: pathlib.Path) -> ssl.SSLContext:
    """Trusts the certificates of `folders` alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for folder in folders:
        context.load_verify_locations(folder / "tls.crt")
    return context
