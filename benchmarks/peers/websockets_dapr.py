"""`websockets` to Dapr by its SDK: `publish_event` for each frame, as its documentation shows it."""

from __future__ import annotations

import argparse
import asyncio
import sys

import websockets
from dapr.aio.clients import DaprClient
from dapr.clients.health import DaprHealth

DaprHealth.wait_for_sidecar = staticmethod(lambda: None)
"""It asks a fixed HTTP port; the sidecar is up."""


async def _run(url: str, dapr: str, topic: str) -> None:
    async with DaprClient(dapr) as client, websockets.connect(url, max_size=None) as socket:
        await socket.send("go")
        async for message in socket:
            await client.publish_event(
                pubsub_name="pubsub", topic_name=topic, data=message, data_content_type="text/plain"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--dapr", required=True)
    parser.add_argument("--topic", required=True)
    given = parser.parse_args()
    print('"ready"', flush=True)
    sys.stdin.readline()
    asyncio.run(_run(given.url, given.dapr, given.topic))
