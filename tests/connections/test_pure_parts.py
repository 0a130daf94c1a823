"""Sequencer, back-off, hold buffer, losses, states, handshake, secrets: no I/O."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frames.runs import flat
from virtufin_examples.connections import (
    Backoff,
    GenericConnector,
    Handshake,
    HandshakeMessage,
    HoldBuffer,
    IllegalMoveError,
    Loss,
    Sequencer,
    State,
    StateMachine,
    host_is_allowed,
    item_bytes,
    joins_handshake,
    resolve,
    url_template,
)
from virtufin_examples.connections._sequencer import (
    MARKER_RESERVE,
    RUN_BYTES,
    RUN_FRAMES,
    SequencesExhaustedError,
)
from virtufin_examples.errors import (
    AccessDeniedError,
    InvalidInputError,
    NotFoundError,
    ResourceLimitError,
)
from virtufin_examples.frames import FRAME_OVERHEAD_BYTES, Cause, Frame, FrameFlag, FrameRun, run_of
from virtufin_examples.venues import Disposition, retry_after_seconds

# --- sequencer ---


def numbered(sequencer: Sequencer, payloads: list[bytes]) -> list[FrameRun]:
    return sequencer.runs(payloads, 7, binary=False, epoch=2, simulated=False)


@given(st.lists(st.integers(0, 3 * RUN_BYTES), min_size=1, max_size=12), st.integers(1, 3 * RUN_FRAMES))
def test_a_read_is_cut_into_runs_within_their_bounds(sizes, tiny):
    sequencer = Sequencer("c", "")
    sequencer.grant(1, 10**6)
    payloads = [*map(bytes, sizes), *[b"x"] * tiny]
    runs = numbered(sequencer, payloads)
    assert [frame.data for frame in flat(runs)] == payloads
    assert [frame.sequence for frame in flat(runs)] == list(range(1, len(payloads) + 1))
    for run in runs:
        assert run.size == sum(map(len, run.payloads))
        assert len(run) == 1 or (run.size <= RUN_BYTES and len(run) <= RUN_FRAMES)


@given(st.lists(st.integers(0, 5), max_size=30), st.lists(st.booleans(), max_size=30))
def test_sequences_rise_by_one_whatever_is_numbered(batches, markers):
    sequencer = Sequencer("c", "wss://h/p")
    sequencer.grant(1, 1000 + MARKER_RESERVE)
    given_numbers = []
    for size, marker in itertools.zip_longest(batches, markers, fillvalue=0):
        runs = numbered(sequencer, [b"x"] * size) if size else []
        given_numbers += [frame.sequence for frame in flat(runs)]
        if marker:
            given_numbers.append(sequencer.take())
    assert given_numbers == list(range(1, len(given_numbers) + 1))
    assert sequencer.last_sequence == len(given_numbers)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 60)), min_size=1, max_size=8))
def test_no_number_is_given_twice_over_restarts_nor_beyond_what_was_reserved(lives):
    reserved, seen = 0, []
    for block, wanted in lives:
        sequencer = Sequencer("c", "")
        sequencer.grant(reserved + 1, reserved + block)
        reserved += block
        for _ in range(wanted):
            try:
                seen.append(sequencer.take())
            except SequencesExhaustedError:
                break
        assert sequencer.last_sequence <= reserved
    assert seen == sorted(set(seen))


def test_numbers_run_out_before_they_are_used_twice():
    sequencer = Sequencer("c", "")
    sequencer.grant(1, 2 + MARKER_RESERVE)
    with pytest.raises(SequencesExhaustedError, match="3 sequences wanted, 2 are reserved"):
        numbered(sequencer, [b""] * 3)
    assert sequencer.last_sequence == 0
    assert sequencer.take() == 1  # a marker still finds one
    sequencer.grant(0, 4 + MARKER_RESERVE)
    assert [frame.sequence for frame in flat(numbered(sequencer, [b""] * 3))] == [2, 3, 4]


def test_frames_carry_what_is_known_of_them():
    sequencer = Sequencer("c", "wss://h/p")
    sequencer.grant(1, 9 + MARKER_RESERVE)
    parts = {"epoch": 3, "simulated": True}
    (text,) = flat(sequencer.runs([b"t"], 5, binary=False, **parts))
    (binary,) = flat(sequencer.runs([b"b"], 5, binary=True, **parts))
    assert (text.flags, binary.flags) == (FrameFlag.SIMULATED, FrameFlag.SIMULATED | FrameFlag.BINARY)
    assert (text.epoch, text.received_ns, text.connection_id, text.connection_url) == (3, 5, "c", "wss://h/p")


# --- back-off ---


@given(st.integers(0, 2**32), st.lists(st.floats(0, 9.9), max_size=40), st.floats(0, 100))
def test_pauses_stay_inside_their_doubling_bound_and_honour_what_the_venue_asks(seed, lives, wait):
    backoff = Backoff(random.Random(seed).random)
    for failures, life in enumerate(lives):
        backoff.lived(life)
        pause = backoff.next_seconds(wait)
        assert wait <= pause <= wait + min(30.0, 0.5 * 2**failures)


def test_only_stable_time_starts_the_bound_anew():
    backoff = Backoff(lambda: 1.0)
    assert [backoff.next_seconds() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.lived(9.9)
    assert backoff.next_seconds() == 30
    backoff.lived(10)
    assert backoff.next_seconds() == 0.5


def test_jitter_is_full():
    assert Backoff(lambda: 0.0).next_seconds() == 0


# --- hold buffer and losses ---


def frame(sequence: int, size: int = 10, at: int = 0, epoch: int = 1) -> FrameRun:
    return run_of([Frame("", "c", epoch, sequence, at, b"x" * size)])


@given(
    sizes=st.lists(st.integers(0, 400), max_size=60),
    step_ns=st.integers(0, 20),
    limit_bytes=st.integers(0, 4000),
    limit_ns=st.integers(0, 300),
    wait_ns=st.integers(0, 400),
)
def test_held_frames_are_the_newest_in_order_and_the_rest_is_inside_the_loss(
    sizes, step_ns, limit_bytes, limit_ns, wait_ns
):
    hold = HoldBuffer(limit_bytes=limit_bytes, limit_seconds=limit_ns)  # any unit will do
    frames = [frame(n, size, at=n * step_ns) for n, size in enumerate(sizes, 1)]
    for each in frames:
        hold.add([each], each.received_ns)
        assert hold.held_bytes <= limit_bytes
    now = len(sizes) * step_ns + wait_ns
    kept, loss = hold.drain(now)

    assert kept == frames[len(frames) - len(kept) :]
    assert sum(map(item_bytes, kept)) <= limit_bytes
    assert all(now - each.received_ns <= limit_ns for each in kept)
    lost = frames[: len(frames) - len(kept)]
    assert (loss is None) == (not lost)
    if loss is not None:
        gap = loss.gap("c", 999, Cause.UNPUBLISHED)
        assert (gap.first_sequence, gap.last_sequence) == (1, lost[-1].last_sequence)
        assert (gap.from_ns, gap.to_ns) == (lost[0].received_ns, lost[-1].received_ns)
        assert loss.frames == len(lost)
    assert hold.drain(now) == ([], None)


def test_a_lost_gap_stays_inside_the_gap_that_announces_it():
    inner = Loss()
    inner.add(frame(4, at=40))
    inner.add(frame(5, at=50))
    outer = Loss()
    outer.add(frame(8, at=80, epoch=2))
    outer.add(inner.gap("c", 9, Cause.OVERFLOW))
    gap = outer.gap("c", 20, Cause.OVERFLOW)
    assert (gap.first_sequence, gap.last_sequence, gap.from_ns, gap.to_ns) == (4, 9, 40, 80)


def test_tiny_frames_are_bounded_as_well():
    hold = HoldBuffer(limit_bytes=FRAME_OVERHEAD_BYTES * 3)
    hold.add([frame(n, size=0) for n in range(1, 10)], 0)
    assert [each.first_sequence for each in hold.drain(0)[0]] == [7, 8, 9]


# --- states ---

_LEGAL = {
    ("connecting", "connected"),
    ("connecting", "reconnecting"),
    ("connecting", "disconnected"),
    ("connecting", "failed"),
    ("connected", "reconnecting"),
    ("connected", "disconnected"),
    ("connected", "failed"),
    ("reconnecting", "reconnecting"),
    ("reconnecting", "connected"),
    ("reconnecting", "disconnected"),
    ("reconnecting", "failed"),
    ("failed", "disconnected"),
}


@given(st.lists(st.sampled_from(list(State)), max_size=12))
def test_only_legal_moves_are_made(moves):
    machine = StateMachine()
    for move in moves:
        before = machine.state
        if (before.value, move.value) in _LEGAL:
            machine.move(move)
            assert machine.state is move
        else:
            with pytest.raises(IllegalMoveError, match=f"from {before} to {move}"):
                machine.move(move)
            assert machine.state is before


# --- handshake ---


@pytest.mark.parametrize(
    ("replay", "auto_reconnect", "published", "joins"),
    [
        (None, True, False, True),
        (None, True, True, False),
        (False, True, False, False),
        (True, True, True, True),
        (None, False, False, False),
        (True, False, False, False),
    ],
)
def test_what_joins_the_handshake(replay, auto_reconnect, published, joins):
    assert joins_handshake(replay, auto_reconnect=auto_reconnect, published=published) is joins


def test_a_message_sent_verbatim_makes_the_handshake_unwritable():
    handshake = Handshake()
    assert handshake.restorable
    handshake.add(HandshakeMessage(b"${secret:a/b}", secrets=True))
    assert handshake.restorable
    handshake.add(HandshakeMessage(b"plain"))
    assert not handshake.restorable


def test_the_handshake_is_bounded():
    handshake = Handshake()
    handshake.add(HandshakeMessage(b"x" * 1024 * 1024))
    with pytest.raises(ResourceLimitError, match="2 messages of 1048577 bytes"):
        handshake.add(HandshakeMessage(b"y"))
    assert len(handshake.messages) == 1


# --- secrets ---


class Store:
    def __init__(self, **secrets) -> None:
        self.secrets = secrets

    async def entries(self, name):
        if name not in self.secrets:
            raise NotFoundError(f"no secret {name!r}")
        return self.secrets[name]


STORE = Store(alpaca={"key": "K1", "secret": 'S"2', "hosts": "*.alpaca.markets, 127.0.0.1:9000"})
URL = "wss://stream.data.alpaca.markets/v2/iex"


async def fill(message: bytes, url: str = URL, *, as_json: bool = True) -> bytes:
    return await resolve(message, url=url, as_json=as_json, resolver=STORE)


async def test_references_are_replaced_and_escaped_for_json():
    message = b'{"key":"${secret:alpaca/key}","secret":"${secret:alpaca/secret}"}'
    assert await fill(message) == b'{"key":"K1","secret":"S\\"2"}'
    assert await fill(b"${secret:alpaca/secret}", as_json=False) == b'S"2'
    assert await fill(b"nothing to replace $ {} ${x}") == b"nothing to replace $ {} ${x}"


@pytest.mark.parametrize(
    ("message", "url", "error"),
    [
        (b"${secret:alpaca}", URL, InvalidInputError),
        (b"${secret:}", URL, InvalidInputError),
        (b"${secret:a/b/c}", URL, InvalidInputError),
        (b"${secret:nobody/key}", URL, NotFoundError),
        (b"${secret:alpaca/nothing}", URL, NotFoundError),
        (b"${secret:alpaca/hosts}", URL, NotFoundError),
        (b"${secret:alpaca/key}", "wss://alpaca.markets.evil.example/", AccessDeniedError),
        (b"${secret:alpaca/key}", "ws://127.0.0.1:9001/", AccessDeniedError),
    ],
)
async def test_a_reference_that_may_not_be_filled_is_refused_without_showing_a_value(message, url, error):
    with pytest.raises(error) as caught:
        await fill(message, url)
    assert "K1" not in str(caught.value)
    assert "S" + '"' not in str(caught.value)


async def test_a_host_that_a_secret_may_not_go_to_is_named_with_what_would_allow_it():
    with pytest.raises(AccessDeniedError, match=r"may not go to 127\.0\.0\.1:9001") as caught:
        await fill(b"${secret:alpaca/key}", "ws://127.0.0.1:9001/")
    assert "VIRTUFIN_SECRET_ALPACA_HOSTS" in caught.value.hint


@pytest.mark.parametrize(
    ("hosts", "url", "allowed"),
    [
        ("example.com", "wss://example.com/x", True),
        ("EXAMPLE.com", "wss://Example.COM:444/x", True),
        ("example.com:443", "wss://example.com/x", True),
        ("example.com:443", "ws://example.com/x", False),
        ("*.example.com", "wss://a.b.example.com/", True),
        ("*.example.com", "wss://example.com/", False),
        ("*.example.com", "wss://badexample.com/", False),
        ("example.com", "wss://a.example.com/", False),
        ("", "wss://example.com/", False),
        ("*", "wss://example.com/", False),
        ("a.com, b.com:1", "wss://b.com:1/", True),
        ("b.com:port", "wss://b.com/", False),
        ("[::1]:9000", "ws://[::1]:9000/", True),
    ],
)
def test_where_a_secret_may_go(hosts, url, allowed):
    assert host_is_allowed(hosts, url) is allowed


# --- small things ---


def test_a_template_shows_neither_user_info_nor_query():
    assert url_template("wss://user:pw@h:1/p?key=1#f") == "wss://h:1/p"


@pytest.mark.parametrize(
    ("status", "disposition", "wait"),
    [
        (401, "permanent", 0),
        (404, "permanent", 0),
        (429, "wait", 7),
        (503, "wait", 7),
        (500, "retry", 0),
        (302, "retry", 0),
    ],
)
def test_the_generic_connector_sorts_http_answers(status, disposition, wait):
    refused = GenericConnector().upgrade_refused(status, {"retry-after": "7"})
    assert (refused.disposition, refused.wait_seconds) == (Disposition(disposition), wait)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5", 5), (" 0 ", 0), ("99999", 3600), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)],
)
def test_retry_after(header, seconds):
    assert retry_after_seconds({"retry-after": header}) == seconds
