"""The limit: picows receives frames and does nothing but count them.

`receive_nothing.py --url URL --frames N`: says "ready", begins at a line, and says when the last came.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time

import picows


class _Counter(picows.WSListener):
    def __init__(self, frames: int, done: asyncio.Event) -> None:
        self._left = frames
        self._done = done

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        transport.send(picows.WSMsgType.TEXT, b"go")

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:  # noqa: ARG002
        self._left -= 1
        if not self._left:
            print(json.dumps({"ended_ns": time.monotonic_ns(), "lost": 0}), flush=True)
            self._done.set()


async def _run(url: str, frames: int) -> None:
    done = asyncio.Event()
    await picows.ws_connect(lambda: _Counter(frames, done), url)
    await done.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--frames", type=int, required=True)
    given = parser.parse_args()
    print('"ready"', flush=True)
    sys.stdin.readline()
    asyncio.run(_run(given.url, given.frames))
    sys.stdin.read()
