"""picows to a Redis stream by redis-py: pipelines of up to 500 XADD, one under way at a time."""

from __future__ import annotations

import argparse
import asyncio
import sys

import redis.asyncio

from benchmarks.peers._gather import connected

_ENTRIES = 500


async def _run(url: str, port: int, stream: str) -> None:
    gather = await connected(url)
    async with redis.asyncio.Redis(port=port) as client:
        while True:
            frames = await gather.take(_ENTRIES)
            async with client.pipeline(transaction=False) as pipe:
                for payload in frames:
                    pipe.xadd(stream, {"data": payload})
                await pipe.execute()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--redis", type=int, required=True)
    parser.add_argument("--topic", required=True)
    given = parser.parse_args()
    print('"ready"', flush=True)
    sys.stdin.readline()
    asyncio.run(_run(given.url, given.redis, given.topic))
