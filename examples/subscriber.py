"""Prints what a topic carries: `python examples/subscriber.py [TOPIC]`, while a feed runs onto it."""

import asyncio
import sys

from virtufin_examples.client import Frame, Gap, subscribe


async def main(topic: str = "alpaca-ticks") -> None:
    async with subscribe(topic) as items:
        async for item in items:
            if isinstance(item, Frame):
                print(item.sequence, item.text)
            elif isinstance(item, Gap):
                print("missing:", item.cause, item.first_sequence, item.last_sequence)


asyncio.run(main(*sys.argv[1:]))
