# SPDX-License-Identifier: Apache-2.0
"""client.py FUNCTION SESSIONS: an echo through the gateway, then the code of its record: 200."""
import asyncio
import json
import pathlib
import ssl
import sys
import time
import urllib.request

import websockets

DEADLINE = time.monotonic() + 180
PAUSE = 1
TOKEN = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


async def echo(url: str) -> str:
    """The id of the session. A gateway may not have heard of a new function yet: tried again."""
    while True:
        try:
            async with websockets.connect(url, open_timeout=120) as websocket:
                request_id = await websocket.recv()
                await websocket.send("echo")
                answer = await asyncio.wait_for(websocket.recv(), 30)
                if answer != "echo":
                    sys.exit(f"sent echo, got {answer!r}")
                await websocket.close(1000)
                return request_id
        except (OSError, websockets.WebSocketException) as error:
            if time.monotonic() > DEADLINE:
                sys.exit(f"no connection to {url}: {error}")
            print(f"again: {error}", flush=True)
            await asyncio.sleep(PAUSE)


def status_code(url: str, request_id: str) -> int:
    # By the Service's name, which is not the one in the operator's certificate.
    context = ssl._create_unverified_context()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN.read_text()}"})
    while time.monotonic() < DEADLINE:
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                records = json.load(answer)["records"]
        except OSError as error:
            print(f"again: {error}", flush=True)
            records = []
        for record in records:
            if record["requestId"] == request_id:
                return record["statusCode"]
        time.sleep(PAUSE)
    sys.exit(f"no record of session {request_id} at {url}")


def main() -> None:
    request_id = asyncio.run(echo(sys.argv[1]))
    code = status_code(sys.argv[2], request_id)
    print(f"session {request_id}: echoed, code {code}")
    sys.exit(0 if code == 200 else 1)


if __name__ == "__main__":
    main()
