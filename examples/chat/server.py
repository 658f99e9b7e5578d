# SPDX-License-Identifier: Apache-2.0
"""A chat room per path, one instance per member: what instances share is in Redis.

Joining subscribes to the room's channel, sending publishes to it, leaving unsubscribes.
"""
import asyncio
import os

import redis.asyncio as redis
import websockets

STORE = redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))


async def deliver(socket, subscription) -> None:
    async for message in subscription.listen():
        if message["type"] == "message":
            await socket.send(message["data"].decode())


async def member(socket, *_) -> None:
    room = "room:" + socket.path.split("?")[0]
    async with STORE.pubsub() as subscription:
        await subscription.subscribe(room)
        delivery = asyncio.create_task(deliver(socket, subscription))
        try:
            await socket.send("joined")
            async for text in socket:
                await STORE.publish(room, text)
        finally:
            delivery.cancel()


async def main() -> None:
    async with websockets.serve(member, "0.0.0.0", 9000):
        await asyncio.Future()


asyncio.run(main())
