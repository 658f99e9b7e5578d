# SPDX-License-Identifier: Apache-2.0
"""Echoes, and says first which session it is."""
import asyncio

import websockets


async def echo(websocket):
    await websocket.send(websocket.request_headers["X-Wsf-Request-Id"])
    async for message in websocket:
        await websocket.send(message)


async def main():
    async with websockets.serve(echo, "0.0.0.0", 9000):
        await asyncio.Future()


asyncio.run(main())
