"""A runtime in a process of its own, as a program on the `dapr` SDK meets a sidecar.

Takes JSON options as its argument, prints its addresses as one JSON line, and ends when its stdin closes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path

from virtufin_examples.bus.embedded import EmbeddedRuntime


async def serve(options: dict) -> None:
    if options.get("data_dir"):
        options["data_dir"] = Path(options["data_dir"])
    runtime = EmbeddedRuntime(**options)
    sys.stdout.write(json.dumps(dataclasses.asdict(await runtime.start())) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runtime.stop()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
