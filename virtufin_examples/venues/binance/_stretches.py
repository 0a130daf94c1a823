"""The update ids of a whole read of depth events: what `peek` finds frame by frame, in a third of its time.

A pattern is matched once a frame; all numbers become integers in one call, and objects are made once a run.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence

import msgspec

from virtufin_examples.venues import Seen
from virtufin_examples.venues.binance._peek import DEPTH_UPDATE, channel_of, text_of

_EVENT = (
    rb'\{"e":"depthUpdate","E":\d{1,19}+,(?:"T":\d{1,19}+,)?"s":"([^"]{1,40}+)",'
    rb'"U":(\d{1,19}+,"u":\d{1,19}+(?:,"pu":\d{1,19}+)?)'
)
_COMBINED = re.compile(rb'\{"stream":"([^"]{1,101}+)","data":' + _EVENT)
_RAW = re.compile(_EVENT)
_NUMBERS = msgspec.json.Decoder(list[int])
_SPOT, _FUTURES = 2, 3  # numbers a frame: U and u; U, u and pu


def stretches(payloads: Sequence[bytes], *, exact_runs: bool) -> Sequence[Seen] | None:
    """Return each run's numbers, from its first frame here to its last; None where `peek` is to be asked.

    It is to be with a frame that is no depth event, with a hole, with numbers that fall, and where spot's
    and futures' are mixed. All events of one stream are of one symbol.
    """
    is_combined = payloads[0].startswith(b'{"stream"')
    if not (is_combined or exact_runs):
        return None
    rows = [found.groups() for found in map((_COMBINED if is_combined else _RAW).match, payloads) if found]
    if len(rows) < len(payloads):
        return None
    *names, symbols, texts = zip(*rows, strict=True)
    numbers = _integers(b",".join(texts))
    a_frame, rest = divmod(len(numbers), len(rows))
    if rest or a_frame not in (_SPOT, _FUTURES) or 0 in numbers:
        return None
    firsts, lasts = numbers[::a_frame], numbers[1::a_frame]
    if a_frame == _SPOT:
        previous, begins, step = [0] * len(rows), firsts, 1
    else:
        previous = begins = numbers[2::a_frame]
        step = 0
        if any(map(operator.lt, lasts, begins)):
            return None
    keys = names[0] if is_combined else symbols
    follow: dict[bytes, int] = {}
    for key, begin, last in zip(keys, begins, lasts, strict=True):
        if follow.get(key, begin) != begin:
            return None
        follow[key] = last + step
    return [
        Seen(
            text_of(symbols[at]),
            channel_of(key) if is_combined else DEPTH_UPDATE,
            firsts[at],
            end - step,
            previous[at],
        )
        for key, end in follow.items()
        for at in (keys.index(key),)
    ]


def _integers(texts: bytes) -> list[int]:
    """Return the numbers of `1,"u":2,"pu":3,4,...`; none where one has leading zeros."""
    try:
        return _NUMBERS.decode(b"[%b]" % texts.replace(b'"u":', b"").replace(b'"pu":', b""))
    except msgspec.DecodeError:
        return []
