"""The per-frame design: each frame is one `Pubsub.PublishEvent` at the gateway, which publishes it to Dapr.

One at a time, for the order; a frame costs two RPCs. The receiver is picows, the fastest there is.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from benchmarks.peers._gather import connected
from virtufin_examples.client import ApiClient, CloudEvent

_TYPE = "com.virtufin.websocketmanager.frame"
_AT_ONCE = 1000


async def _run(url: str, gateway: str, topic: str) -> None:
    gather = await connected(url)
    async with ApiClient(gateway) as api:
        while True:
            for payload in await gather.take(_AT_ONCE):
                await api.publish(topic, CloudEvent(type=_TYPE, data=payload, content_type="text/plain"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--topic", required=True)
    given = parser.parse_args()
    print('"ready"', flush=True)
    sys.stdin.readline()
    asyncio.run(_run(given.url, given.gateway, given.topic))
