"""Two sockets on which a venue packs the same messages into different frames, and one that is far behind."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connections.toy_feed import agree, feed
from virtufin_examples.client import FirstArrivals
from virtufin_examples.connections import settle
from virtufin_examples.connections._sharing import MOST_ALONE_SECONDS
from virtufin_examples.frames import Frame
from virtufin_examples.venues import Arbiter, Arrival, alpaca
from virtufin_examples.venues.alpaca import WireEncoding

MILLISECOND_NS = 1_000_000


def packed(first, last, names, encoding):
    """The frame that holds the messages from one place up to another."""
    encoded = [alpaca.encode({"T": "q", "S": name}, encoding) for name in names[first:last]]
    return alpaca.join(encoded, encoding)


@st.composite
def cuts(draw, start, end):
    """A way to pack the messages of a sequence: first and last place of each frame."""
    inner = draw(st.sets(st.integers(start, end), max_size=12)) if end > start else set()
    return list(itertools.pairwise(sorted({start, end, *inner})))


@st.composite
def two_packings(draw, *, late):
    """Messages, what each of two sockets makes of them, and a merge; the second may start further on."""
    names = [f"S{n}" for n in range(draw(st.integers(1, 30)))]
    if not late:  # sockets that were there from the start tell even equal messages apart
        names = [name if draw(st.booleans()) else "SAME" for name in names]
    start = draw(st.integers(0, len(names))) if late else 0
    frames = [draw(cuts(0, len(names))), draw(cuts(start, len(names)))]
    merge = draw(st.lists(st.sampled_from([0, 1]), max_size=60))
    return names, frames, merge, draw(st.integers(0, 8)) if late else 0


def passed_frames(case, encoding):
    """Which frames passed, as places in the sequence, in order."""
    names, frames, merge, lead = case
    arbiter = Arbiter(alpaca.MarketSession(alpaca.find_endpoint("v2/iex")).peek, alpaca.messages)
    arbiter.join(1)
    places, passed, sent = [0, 0], [], {}
    joined = False
    for line in [*merge, *[0] * len(frames[0]), *[1] * len(frames[1])]:
        if not joined and places[0] >= min(lead, len(frames[0])):
            arbiter.join(2)
            joined = True
        if places[line] == len(frames[line]) or (line == 1 and not joined):
            continue
        frame = frames[line][places[line]]
        places[line] += 1
        now_ns = sum(places) * MILLISECOND_NS
        sent[now_ns] = frame
        arrival = Arrival(line + 1, (packed(*frame, names, encoding), False), now_ns)
        passed += arbiter.offer(arrival)
    passed += arbiter.leave(1) + arbiter.leave(2)
    return [sent[arrival.received_ns] for arrival in passed]


def check(case, passed):
    """Each frame that passed brings something new, and leaves nothing out before it; nothing is missing."""
    names, frames, _, _ = case
    reached = 0
    for first, last in passed:
        assert first <= reached < last
        reached = last
    assert reached == max((last for line in frames for _, last in line), default=0) == len(names)


@pytest.mark.parametrize("encoding", list(WireEncoding))
@given(two_packings(late=False))
def test_each_message_passes_in_order_and_only_frames_with_news_do(encoding, case):
    check(case, passed_frames(case, encoding))


@given(two_packings(late=True))
def test_it_holds_for_a_socket_that_joins_late_ahead_of_the_other_or_behind(case):
    check(case, passed_frames(case, WireEncoding.JSON))


@given(two_packings(late=False))
def test_it_holds_for_two_connections_that_a_subscriber_reads_as_one(case):
    names, frames, merge, _ = case
    merged = FirstArrivals(messages=alpaca.messages)
    places, passed, sent = [0, 0], [], {}
    for line in [*merge, *[0] * len(frames[0]), *[1] * len(frames[1])]:
        if places[line] == len(frames[line]):
            continue
        cut = frames[line][places[line]]
        places[line] += 1
        now_ns = sum(places) * MILLISECOND_NS
        sent[now_ns] = cut
        data = packed(*cut, names, WireEncoding.JSON)
        passed += merged.take(Frame("t", "ab"[line], 1, places[line], now_ns, data), now_ns / 1e9)
    # the second connection is one that joined later: what it had first waits, at most for this long
    passed += merged.tick(100.0, 100 * 10**9)
    reached = [sent[item.received_ns] for item in passed if isinstance(item, Frame)]
    assert {place for first, last in reached for place in range(first, last)} == set(range(len(names)))


@given(st.lists(st.dictionaries(st.text(max_size=4), st.integers(-9, 9), max_size=3), max_size=5))
def test_the_messages_of_a_frame_are_those_that_were_packed_byte_by_byte(messages):
    for encoding in WireEncoding:
        encoded = [alpaca.encode(message, encoding) for message in messages]
        assert alpaca.messages(alpaca.join(encoded, encoding)) == encoded


@pytest.mark.parametrize("payload", [b"", b"[", b"no json", b"\xff", b'{"T":"q"}', b"\x91", b"[" * 100_000])
def test_what_is_no_array_is_one_message(payload):
    assert alpaca.messages(payload) == [payload]


async def behind_its_predecessor(world):
    """A successor that has brought nothing yet when the old socket, which brought 1 to 20, is closed."""
    connection, old = await feed(world, "A")
    old.send_text("!leave")
    await settle()
    successor = await world.server.accept()
    await agree(successor)
    for number in range(1, 21):
        old.send_text(f"A 0 {number}")
    await world.clock.advance(3)
    assert old.closed is not None
    return connection, successor


def data_of(world):
    return [text for text in world.frames if text.startswith("A")]


async def test_a_socket_that_is_left_alone_behind_the_other_repeats_nothing_until_it_has_caught_up(world):
    connection, successor = await behind_its_predecessor(world)
    await world.clock.advance(2.5)  # it stands still first
    for number in range(1, 21):
        successor.send_text(f"A 0 {number}")
        if number == 3:
            successor.send_text("A 0 that the other left out")
        await world.clock.advance(0.15)
    for number in range(21, 30):
        successor.send_text(f"A 0 {number}")
        await world.clock.advance(1)
    expected = [f"A 0 {number}" for number in range(1, 30)]
    assert data_of(world) == [*expected[:20], "A 0 that the other left out", *expected[20:]]
    assert connection._sharing._arbiter is None  # caught up: what it brings is looked at no more
    assert world.gaps == []


async def test_one_that_stays_silent_is_looked_at_for_a_minute(world):
    connection, _ = await behind_its_predecessor(world)
    await world.clock.advance(MOST_ALONE_SECONDS - 3)
    assert connection._sharing._arbiter is not None
    await world.clock.advance(5)
    assert connection._sharing._arbiter is None
