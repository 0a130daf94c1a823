"""`python -m benchmarks.parsing`: what reading one message costs, by kind: plain values and typed structs."""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from functools import partial

import msgspec

from virtufin_examples.venues import alpaca, binance

_LEVELS = 20
_ROUNDS = 5
_SECONDS_EACH = 0.1


def _levels(start: int, step: int, level: str) -> str:
    return ",".join(level % (start + step * number) for number in range(_LEVELS))


_BOOK_LEVEL = '{"p":%d.5,"s":0.25}'
_DEPTH_LEVEL = '["%d.50","0.25000000"]'
SAMPLES: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "Alpaca trade": (
        (
            b'[{"T":"t","S":"AAPL","i":96921,"x":"D","p":126.55,"s":1,"c":["@","I"],'
            b'"t":"2021-02-22T15:51:44.208123456Z","z":"C"}]'
        ),
        lambda data: alpaca.read_messages(data, alpaca.Trade, alpaca.Quote, alpaca.Bar),
    ),
    "Alpaca quote": (
        (
            b'[{"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"Q","ap":87.68,"as":4,"c":["R"],'
            b'"t":"2021-02-22T15:51:45.335689322Z","z":"C"}]'
        ),
        lambda data: alpaca.read_messages(data, alpaca.Trade, alpaca.Quote, alpaca.Bar),
    ),
    "Alpaca bar": (
        (
            b'[{"T":"b","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,'
            b'"vw":389.062639,"t":"2021-02-22T19:15:00Z"}]'
        ),
        lambda data: alpaca.read_messages(data, alpaca.Trade, alpaca.Quote, alpaca.Bar),
    ),
    "Alpaca book, 20 levels a side": (
        (
            '[{"T":"o","S":"BTC/USD","t":"2021-02-22T19:15:00.123456789Z","b":['
            + _levels(60_000, -1, _BOOK_LEVEL)
            + '],"a":['
            + _levels(60_001, 1, _BOOK_LEVEL)
            + "]}]"
        ).encode(),
        lambda data: alpaca.read_messages(data, alpaca.Orderbook),
    ),
    "Binance trade": (
        (
            b'{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100",'
            b'"T":1672515782136,"m":true,"M":true}'
        ),
        binance.read_event,
    ),
    "Binance depthUpdate, 20 levels a side": (
        (
            '{"e":"depthUpdate","E":1672515782136,"s":"BTCUSDT","U":157,"u":160,"b":['
            + _levels(60_000, -1, _DEPTH_LEVEL)
            + '],"a":['
            + _levels(60_001, 1, _DEPTH_LEVEL)
            + "]}"
        ).encode(),
        binance.read_event,
    ),
}


def microseconds(read: Callable[[bytes], object], data: bytes) -> float:
    """Return the best of several rounds: what else the machine does only adds."""
    timer = timeit.Timer(partial(read, data))
    once = max(timer.timeit(100) / 100, 1e-7)
    number = max(1, int(_SECONDS_EACH / once))
    return min(timer.repeat(_ROUNDS, number)) / number * 1e6


def main() -> None:
    """Print a table: microseconds a message."""
    print("| message | `json.loads` | `msgspec`, plain values | structs |")
    print("|---|---|---|---|")
    for name, (data, read) in SAMPLES.items():
        times = (microseconds(each, data) for each in (json.loads, msgspec.json.decode, read))
        print(f"| {name} | " + " | ".join(f"{each:.1f} us" for each in times) + " |")


if __name__ == "__main__":
    main()
