"""The publishing process: `python -m benchmarks.dapr.sender`, told by lines what to send."""

from __future__ import annotations

import asyncio

from benchmarks.dapr._bare import BarePublisher
from benchmarks.dapr._ours import OurPublisher
from benchmarks.dapr._protocol import Task, Way, listen, open_input, say


async def main() -> None:
    """Take tasks until the input ends: warm up and say so, on the next line send, say the last sequence."""
    lines = await open_input()
    while (task := await listen(lines, Task)) is not None:
        publisher = OurPublisher(task) if task.way is Way.OURS else BarePublisher(task)
        try:
            await publisher.warm_up()
            say("warm")
            await listen(lines, str)
            await publisher.run()
            say(publisher.sequence)
        finally:
            await publisher.close()


if __name__ == "__main__":
    asyncio.run(main())
