# SPDX-License-Identifier: Apache-2.0
"""The certificates of a cluster, and kubeconfigs made of them."""
import base64
import json
import pathlib
import subprocess

P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(*arguments) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A certificate authority whose files are in `folder`."""

    def __init__(self, folder: pathlib.Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        openssl("req", "-x509", *P256, "-days", "30", "-subj", "/CN=test cluster", "-addext",
                "keyUsage=critical,keyCertSign,cRLSign", "-keyout", folder / "ca.key", "-out",
                folder / "ca.crt")
        openssl("genrsa", "-out", folder / "accounts.key", "2048")
        openssl("rsa", "-in", folder / "accounts.key", "-pubout", "-out", folder / "accounts.pub")

    def issue(self, name: str, subject: str, addresses: str = "") -> None:
        """NAME.crt and NAME.key; `addresses` as in IP:127.0.0.1,DNS:localhost."""
        path = self.folder / name
        openssl("req", *P256, "-subj", subject, "-keyout", f"{path}.key", "-out", f"{path}.csr")
        extensions = ["extendedKeyUsage=serverAuth,clientAuth"]
        if addresses:
            extensions.append("subjectAltName=" + addresses)
        pathlib.Path(f"{path}.ext").write_text("\n".join(extensions))
        openssl("x509", "-req", "-in", f"{path}.csr", "-CA", self.folder / "ca.crt", "-CAkey",
                self.folder / "ca.key", "-CAcreateserial", "-days", "30", "-extfile",
                f"{path}.ext", "-out", f"{path}.crt")

    def kubeconfig(self, name: str, server: str, user: dict | None = None) -> pathlib.Path:
        """For the certificate of that name, or for another `user`."""
        def data(file: str) -> str:
            return base64.b64encode((self.folder / file).read_bytes()).decode()
        if user is None:
            user = {"client-certificate-data": data(f"{name}.crt"),
                    "client-key-data": data(f"{name}.key")}
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": server,
                                                    "certificate-authority-data": data("ca.crt")}}],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]}))
        return path
