# SPDX-License-Identifier: Apache-2.0
"""Where Autobahn's cases, written for Python 2, meet a library of Python 3: in the cases a string
of bytes is a str of latin-1 characters, in the library it is bytes."""
import binascii


def as_text(value):
    return value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value


def as_octets(value):
    return value.encode("latin-1") if isinstance(value, str) else value


def b2a_hex(value):
    return binascii.b2a_hex(as_octets(value)).decode()


hexlify = b2a_hex


def accept_text(protocol):
    """Lets the senders of `protocol` take the cases' strings."""
    def accepting(name):
        def send(self, *arguments, **named):
            original = getattr(super(protocol, self), name)
            return original(*map(as_octets, arguments), **{k: as_octets(v) for k, v in named.items()})
        return send
    for name in ("sendFrame", "sendMessage", "sendMessageFrameData", "sendCloseFrame"):
        setattr(protocol, name, accepting(name))
