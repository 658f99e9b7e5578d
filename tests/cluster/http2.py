# SPDX-License-Identifier: Apache-2.0
"""A client of HTTP/2 that behaves badly: frames by hand, as no library would send them (RFC 9113)."""
import pathlib
import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 1, 3, 4, 6, 9
ACK, END_HEADERS = 1, 4
CANCEL = 8


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


# ---- Header blocks (RFC 7541), without Huffman codes ----

def number(value: int, bits: int, first: int = 0) -> bytes:
    """An integer with a prefix of so many bits (section 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def literal(name: bytes, value: bytes, indexed: bool = False) -> bytes:
    """A field in full; `indexed`: the peer keeps it in its table (section 6.2)."""
    return (bytes([0x40 if indexed else 0x00]) + number(len(name), 7) + name +
            number(len(value), 7) + value)


def from_table(index: int) -> bytes:
    return number(index, 7, 0x80)


def call(path: bytes) -> bytes:
    """The header block of a gRPC call."""
    return b"".join(literal(name, value) for name, value in (
        (b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"wsf-operator"),
        (b":path", path), (b"content-type", b"application/grpc"), (b"te", b"trailers")))


# What each of the operator's ports serves.
CALLS = {9443: call(b"/wsf.v1.InstanceService/Listening"), 9444: call(b"/wsf.v1.FleetService/Attach")}


class Client:
    """One TLS connection from an address of the caller's choice. `certificate`: a file with a
    certificate and its key, or None."""

    def __init__(self, address: tuple[str, int], source: str, certificate: pathlib.Path | None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # who is attacked is no question here
        context.set_alpn_protocols(["h2"])
        if certificate is not None:
            context.load_cert_chain(certificate)
        plain = socket.create_connection(address, timeout=10, source_address=(source, 0))
        self.socket = context.wrap_socket(plain)
        self.call = CALLS[address[1]]

    def start(self) -> None:
        self.send(PREFACE + frame(SETTINGS))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def close(self) -> None:
        self.socket.close()
