"""The same as subscriber.py without asyncio: `python examples/subscriber_blocking.py [TOPIC]`."""

import sys

from virtufin_examples.client import Frame, Gap, subscribe_blocking

with subscribe_blocking(*sys.argv[1:] or ["alpaca-ticks"]) as items:
    for item in items:
        if isinstance(item, Frame):
            print(item.sequence, item.text)
        elif isinstance(item, Gap):
            print("missing:", item.cause, item.first_sequence, item.last_sequence)
