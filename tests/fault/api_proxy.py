# SPDX-License-Identifier: Apache-2.0
"""The fault proxy for the Kubernetes API: it stands between the operator and the real embedded API,
understands requests and watch events, and lets a test act before and after each of them."""
import base64
import http.client
import json
import pathlib
import queue
import socket
import ssl
import subprocess
import threading

WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Drop(Exception):
    """Raised by a hook: the connection ends instead of going on."""


def write_point(method: str, path: str, body: bytes) -> str:
    """The name of a write: what kind of change it is, whatever the object is called."""
    parts = path.split("?")[0].strip("/").split("/")
    parts = parts[parts.index("namespaces") + 2:] if "namespaces" in parts else parts[-1:]
    kind = parts[0] + ("/" + parts[2] if len(parts) > 2 else "")
    if method == "PATCH" and kind == "pods":
        return "PATCH pods " + ("finalizers" if b"finalizers" in body else "other")
    return f"{method} {kind}"


class ApiProxy:
    """Give the operator `kubeconfig`; `access` is a function that gives the KubeAccess behind it.

    Hooks, each called on the connection's own thread, may raise Drop:
    `before(point)` when a write has come, `after(point)` when it was carried out and before it is
    answered; `answer(method, path)` may return (status, headers, body) to answer in the API's
    place; `events(line)` returns the watch lines to be sent for one line, `listed(path, body)` the
    body to be sent for the answer to a GET. `inject(line)` sends a line to every watch of pods.
    """

    def __init__(self, folder: pathlib.Path, access):
        folder.mkdir(parents=True, exist_ok=True)
        self.access = access
        self.points = []  # every write that was carried out, in order
        self.requests = []
        self.before = self.after = lambda point: None
        self.answer = lambda method, path: None
        self.events = lambda line: [line]
        self.listed = lambda path, body: body
        self.watch_cut_after = None  # bytes of a watch's answer, then its connection ends
        self.watching = set()  # idents of the threads that serve a watch
        self.watch_opened = lambda lines: None  # of pods, with the queue of its lines
        self._lock = threading.Lock()
        self._open = set()
        self._pod_watches = set()  # their queues of lines
        key, cert = folder / "proxy.key", folder / "proxy.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=proxy",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(cert, key)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.kubeconfig = folder / "proxy.kubeconfig"
        ca = base64.b64encode(cert.read_bytes()).decode()
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {
                "server": f"https://127.0.0.1:{self._listener.getsockname()[1]}",
                "certificate-authority-data": ca}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}]}))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        upstream = None
        try:
            client = self._tls.wrap_socket(client, server_side=True)
            with self._lock:
                self._open.add(client)
            upstream = self.access().connect(None)
            file = client.makefile("rb")
            while line := file.readline():
                self._request(client, file, upstream, line.decode())
        except (Drop, OSError, http.client.HTTPException, ssl.SSLError, ValueError):
            pass
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()
            if upstream is not None:
                upstream.close()

    def _request(self, client, file, upstream, line: str) -> None:
        method, path, _ = line.split(" ", 2)
        headers = {}
        while (header := file.readline().decode().strip()):
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", 0)))
        with self._lock:
            self.requests.append((method, path))
        instead = self.answer(method, path)
        if instead is not None:
            return self._send(client, *instead)
        is_write = method in WRITES and "tokenreviews" not in path
        point = write_point(method, path, body)
        if is_write:
            self.before(point)
        kept = {name: headers[name] for name in ("accept", "content-type") if name in headers}
        upstream.request(method, path, body, kept)
        answer = upstream.getresponse()
        if "watch=1" in path:
            self._watch(client, answer, "/pods?" in path)
            raise Drop
        text = answer.read()
        if method == "GET" and answer.status == 200:
            text = self.listed(path, text)
        if is_write and answer.status < 300:
            with self._lock:
                self.points.append(point)
        if is_write:
            self.after(point)
        self._send(client, answer.status, {"Content-Type": answer.headers["Content-Type"]}, text)

    def _send(self, client, status: int, headers: dict, body: bytes) -> None:
        head = f"HTTP/1.1 {status} {http.client.responses.get(status, '')}\r\n"
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            head += f"{name}: {value}\r\n"
        client.sendall(head.encode() + b"\r\n" + body)

    def inject(self, line: bytes) -> None:
        with self._lock:
            for lines in self._pod_watches:
                lines.put(line)

    def _watch(self, client, answer, is_of_pods: bool) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n")
        lines = queue.SimpleQueue()
        if is_of_pods:
            with self._lock:
                self._pod_watches.add(lines)
            self.watch_opened(lines)

        def read() -> None:
            try:
                while line := answer.readline():
                    lines.put(line)
            except (OSError, ValueError, AttributeError):
                pass
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        self.watching.add(threading.get_ident())
        try:
            while (line := lines.get()) is not None:
                for each in self.events(line):
                    chunk = f"{len(each):x}\r\n".encode() + each + b"\r\n"
                    cut = self.watch_cut_after
                    if cut is not None and b'"BOOKMARK"' not in each:
                        self.watch_cut_after = None
                        client.sendall(chunk[:cut])
                        raise Drop
                    client.sendall(chunk)
            client.sendall(b"0\r\n\r\n")
        finally:  # the next thread may have the same number
            self.watching.discard(threading.get_ident())
            with self._lock:
                self._pod_watches.discard(lines)

    def cut_all(self) -> None:
        with self._lock:
            for each in self._open:
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self) -> None:
        self._listener.close()
        self.cut_all()
