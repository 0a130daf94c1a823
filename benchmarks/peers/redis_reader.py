"""Reads a Redis stream from its beginning and counts: says "ready", then when the last entry came."""

from __future__ import annotations

import argparse
import json
import sys
import time

import redis

_ENTRIES = 1000
_BLOCK_MS = 100


def _run(port: int, stream: str, frames: int) -> None:
    client = redis.Redis(port=port)
    client.ping()
    print('"ready"', flush=True)
    left, last = frames, b"0"
    while left > 0:
        for _, entries in client.xread({stream: last}, count=_ENTRIES, block=_BLOCK_MS):
            left -= len(entries)
            last = entries[-1][0]
            client.xtrim(stream, minid=last)  # or a long run would fill the memory
    print(json.dumps({"ended_ns": time.monotonic_ns(), "lost": 0}), flush=True)
    client.delete(stream)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis", type=int, required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--frames", type=int, required=True)
    given = parser.parse_args()
    _run(given.redis, given.topic, given.frames)
    sys.stdin.read()
