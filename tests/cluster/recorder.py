# SPDX-License-Identifier: Apache-2.0
"""Between a client and an API server: passes on what both say, and keeps it."""
import base64
import dataclasses
import http.client
import http.server
import json
import pathlib
import re
import ssl
import threading

from pki import Authority

# Of one hop, and what the recorder cannot read.
OWN = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding"}


@dataclasses.dataclass
class Exchange:
    method: str
    target: str  # path and query
    content_type: str
    body: str
    status: int = 0
    warnings: list[str] = dataclasses.field(default_factory=list)
    answer: str = ""


def _context_of(kubeconfig: pathlib.Path, folder: pathlib.Path) -> tuple[str, ssl.SSLContext]:
    """Host and port of the server, and what opens it."""
    config = json.loads(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    pem = folder / "upstream.pem"
    pem.write_bytes(base64.b64decode(user["client-certificate-data"]) +
                    base64.b64decode(user["client-key-data"]))
    context.load_cert_chain(pem)
    return re.match(r"https://(.*)$", cluster["server"])[1], context


class Recorder:
    """`kubeconfig` leads to it; `exchanges` are those that have ended, in the order in which they
    began."""

    def __init__(self, upstream: pathlib.Path, folder: pathlib.Path):
        folder.mkdir(parents=True)
        self.address, self.context = _context_of(upstream, folder)
        authority = Authority(folder / "pki")
        authority.issue("server", "/CN=recorder", "IP:127.0.0.1")
        authority.issue("client", "/CN=client")
        self.exchanges: list[Exchange] = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                recorder.pass_on(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

            def log_message(self, *arguments) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(f"{authority.folder}/server.crt", f"{authority.folder}/server.key")
        self.server.socket = own.wrap_socket(self.server.socket, server_side=True)
        port = self.server.socket.getsockname()[1]
        self.kubeconfig = authority.kubeconfig("client", f"https://127.0.0.1:{port}")
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pass_on(self, client: http.server.BaseHTTPRequestHandler) -> None:
        length = int(client.headers.get("content-length") or 0)
        body = client.rfile.read(length) if length else b""
        exchange = Exchange(client.command, client.path, client.headers.get("content-type", ""),
                            body.decode(errors="replace"))
        self.exchanges.append(exchange)
        headers = {name: value for name, value in client.headers.items() if name.lower() not in OWN}
        # Answers in JSON, which can be compared.
        accept = [each for each in headers.get("Accept", "").split(",") if "kubernetes.protobuf" not in each]
        if "Accept" in headers:
            headers["Accept"] = ",".join(accept) or "application/json"
        upstream = http.client.HTTPSConnection(self.address, context=self.context, timeout=60)
        try:
            upstream.request(client.command, client.path, body or None, headers)
            answer = upstream.getresponse()
            exchange.status = answer.status
            exchange.warnings = answer.headers.get_all("warning") or []
            client.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in OWN:
                    client.send_header(name, value)
            if answer.status in (204, 304):
                client.end_headers()
                return
            client.send_header("transfer-encoding", "chunked")
            client.end_headers()
            while part := answer.read1(65536):
                exchange.answer += part.decode(errors="replace")
                client.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                client.wfile.flush()
            client.wfile.write(b"0\r\n\r\n")
        except (OSError, http.client.HTTPException):
            client.close_connection = True  # one of the two has gone: a watch that was left
        finally:
            upstream.close()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
