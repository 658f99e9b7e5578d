# SPDX-License-Identifier: Apache-2.0
"""A server on PORT whose connections the test holds itself.

Each accepted connection is handed to the test over the Unix socket PUPPET, with this process's id;
this process keeps no copy. A line `exit N` on that Unix connection ends the process with status N.
"""
import json
import os
import socket
import threading


def obey(control: socket.socket) -> None:
    for line in control.makefile():
        word, number = line.split()
        if word == "exit":
            os._exit(int(number))


def main() -> None:
    listener = socket.create_server(("0.0.0.0", int(os.environ.get("PORT", "9000"))))
    while True:
        connection, _ = listener.accept()
        control = socket.socket(socket.AF_UNIX)
        control.connect(os.environ["PUPPET"])
        socket.send_fds(control, [json.dumps({"pid": os.getpid()}).encode()], [connection.fileno()])
        connection.close()
        threading.Thread(target=obey, args=(control,), daemon=True).start()


main()
