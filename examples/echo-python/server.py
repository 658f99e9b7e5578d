# SPDX-License-Identifier: Apache-2.0
"""An ordinary WebSocket echo server. It knows nothing of wsf."""
import asyncio
import os

import websockets


async def echo(websocket):
    await websocket.send(f"hello from process {os.getpid()}")
    async for message in websocket:
        await websocket.send(message)


async def main():
    async with websockets.serve(echo, "0.0.0.0", 9000):
        await asyncio.Future()


asyncio.run(main())
