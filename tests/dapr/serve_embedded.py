"""The embedded runtime in a process of its own, which a signal ends. Takes its options as JSON."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from virtufin_examples.bus.embedded import EmbeddedRuntime


async def serve(options: dict) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if options.get("resources_path"):
        options["resources_path"] = Path(options["resources_path"])
    runtime = EmbeddedRuntime(**options)
    await runtime.start()
    await stop.wait()
    await runtime.stop()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
