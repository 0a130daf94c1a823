"""Records by compare-and-swap: epochs, blocks of sequences, takeover, a state store that fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.websocketmanager.fakes import MemoryBus
from virtufin_examples.connections import BLOCK_SIZE, VirtualClock, settle
from virtufin_examples.errors import ConflictError, UnavailableError
from virtufin_examples.websocketmanager._index import ConnectionIndex
from virtufin_examples.websocketmanager._records import (
    RECORD_PREFIX,
    ConnectionRecord,
    HandshakeEntry,
    Progress,
    PublishRecord,
    RecordKeeper,
    RecordVersionError,
    decode_record,
)
from virtufin_examples.websocketmanager.spool import Mark

KEY = RECORD_PREFIX + "c"
FIXTURES = Path(__file__).parent / "fixtures"
KEPT = ConnectionRecord(
    id="c",
    url="wss://venue.example/feed",
    instance_id="host-1",
    holder="host-1-5f0c2a9e",
    auto_reconnect=True,
    connector="alpaca",
    options={"redundancy": "2"},
    tags={"run": "1"},
    owner="w",
    lease_seconds=60,
    epoch=3,
    reserved=2_000_000,
    last_sequence=1_000_017,
    last_received_ns=1_700_000_000_000_000_001,
    saved_ns=1_700_000_001_000_000_000,
    handshake=(HandshakeEntry('{"key":"${secret:venue/key}"}', json=True), HandshakeEntry("ping")),
    restorable=True,
    publish=PublishRecord("t", "batch", "spool", "companion"),
)


def keeper(bus, clock, record=None, **parts) -> RecordKeeper:
    return RecordKeeper(
        bus, clock, record or ConnectionRecord(id="c", url="wss://h/p", instance_id="i"), **parts
    )


def stored(bus):
    return decode_record(bus.state[KEY][0])


async def test_an_epoch_and_a_block_are_written_before_they_are_used():
    bus, clock = MemoryBus(), VirtualClock()
    mine = keeper(bus, clock)
    grant = await mine.begin_epoch()
    assert (grant.epoch, grant.first_sequence, grant.last_sequence) == (1, 1, BLOCK_SIZE)
    assert (stored(bus).epoch, stored(bus).reserved) == (1, BLOCK_SIZE)
    second = await mine.begin_epoch()
    assert (second.epoch, second.last_sequence, second.lost_since_ns) == (2, BLOCK_SIZE, 0)
    mine.progress = lambda: Progress(BLOCK_SIZE * 3 // 4, Mark(BLOCK_SIZE * 3 // 4, 5))
    assert (await mine.begin_epoch()).last_sequence == 2 * BLOCK_SIZE
    assert await mine.extend() == 3 * BLOCK_SIZE


async def test_after_a_restart_numbers_go_on_beyond_all_that_may_have_been_used():
    bus, clock = MemoryBus(), VirtualClock()
    first = keeper(bus, clock)
    await first.begin_epoch()
    first.progress = lambda: Progress(450, Mark(400, 77))
    await first.save()
    value = bus.state[KEY][0]

    second = keeper(bus, clock, decode_record(value), stored=value)
    grant = await second.begin_epoch()
    assert (grant.epoch, grant.first_sequence, grant.last_sequence) == (2, BLOCK_SIZE + 1, 2 * BLOCK_SIZE)
    assert (grant.lost_epoch, grant.lost_first_sequence, grant.lost_since_ns) == (1, 401, 77)
    assert (await second.begin_epoch()).lost_since_ns == 0


async def test_who_is_taken_over_cannot_take_another_epoch():
    bus, clock = MemoryBus(), VirtualClock()
    first = keeper(bus, clock)
    await first.begin_epoch()
    value = bus.state[KEY][0]
    second = keeper(bus, clock, decode_record(value), stored=value)
    await second.begin_epoch()
    for lost in (first.begin_epoch, first.extend, first.save):
        with pytest.raises(ConflictError, match="somebody else"):
            await lost()
    assert stored(bus).epoch == 2


async def test_of_two_that_start_at_once_one_wins():
    bus, clock = MemoryBus(), VirtualClock()
    await keeper(bus, clock).begin_epoch()
    value = bus.state[KEY][0]
    rivals = [keeper(bus, clock, decode_record(value), stored=value) for _ in range(5)]
    results = await asyncio.gather(*(each.begin_epoch() for each in rivals), return_exceptions=True)
    assert sum(isinstance(result, ConflictError) for result in results) == 4
    assert stored(bus).epoch == 2


async def test_changes_are_written_together_and_again_when_the_store_was_down():
    bus, clock = MemoryBus(), VirtualClock()
    mine = keeper(bus, clock)
    await mine.begin_epoch()
    bus.state_down = True
    mine.update(tags={"a": "1"})
    mine.update(owner="w")
    await clock.advance(3)
    with pytest.raises(UnavailableError):
        await mine.begin_epoch()
    bus.state_down = False
    await clock.advance(1)
    assert (stored(bus).tags, stored(bus).owner, stored(bus).epoch) == ({"a": "1"}, "w", 1)
    assert (await mine.begin_epoch()).epoch == 2
    await mine.close()


async def test_a_write_that_was_done_though_it_failed_is_recognised():
    bus, clock = MemoryBus(), VirtualClock()
    mine = keeper(bus, clock)
    await mine.begin_epoch()
    real = bus.save_state

    async def done_but_lost(*args, **kwargs):
        await real(*args, **kwargs)
        raise UnavailableError("the answer was lost")

    bus.save_state = done_but_lost
    with pytest.raises(UnavailableError):
        await mine.begin_epoch()
    bus.save_state = real
    grant = await mine.begin_epoch()
    assert grant.epoch == stored(bus).epoch


@pytest.mark.parametrize("is_done", [False, True])
async def test_a_first_write_that_failed_is_done_again(is_done):
    bus, clock = MemoryBus(), VirtualClock()
    mine = keeper(bus, clock)
    real = bus.save_state

    async def fail(*args, **kwargs):
        if is_done:
            await real(*args, **kwargs)
        raise UnavailableError("the state store is down")

    bus.save_state = fail
    with pytest.raises(UnavailableError):
        await mine.begin_epoch()
    bus.save_state = real
    grant = await mine.begin_epoch()
    assert (grant.epoch, grant.first_sequence, mine.is_lost) == (1, 1, False)
    assert (stored(bus).epoch, stored(bus).reserved) == (1, BLOCK_SIZE)


async def test_a_record_that_was_stored_and_is_gone_is_not_created_again():
    bus, clock = MemoryBus(), VirtualClock()
    mine = keeper(bus, clock)
    await mine.begin_epoch()
    await bus.delete_state(KEY)
    with pytest.raises(ConflictError, match="somebody else"):
        await mine.begin_epoch()
    assert KEY not in bus.state


async def test_an_update_during_a_write_is_not_lost():
    bus, clock = MemoryBus(), VirtualClock()
    mine = keeper(bus, clock)
    taking = asyncio.ensure_future(mine.begin_epoch())
    await asyncio.sleep(0)
    mine.update(owner="late")
    await taking
    await settle()
    assert (stored(bus).owner, stored(bus).epoch) == ("late", 1)


async def test_a_deleted_record_is_not_written_again():
    bus, clock = MemoryBus(), VirtualClock()
    mine = keeper(bus, clock)
    await mine.begin_epoch()
    writing = asyncio.ensure_future(mine.confirm())
    await asyncio.sleep(0)
    await mine.delete()
    await writing
    mine.update(owner="late")
    await settle()
    assert KEY not in bus.state
    assert not mine.is_lost


async def test_the_index_survives_rivals():
    bus = MemoryBus()
    indexes = [ConnectionIndex(bus, "") for _ in range(8)]
    await asyncio.gather(*(index.add(str(number)) for number, index in enumerate(indexes)))
    await indexes[0].remove("3")
    await indexes[0].remove("nothing")
    assert sorted(await indexes[1].ids()) == ["0", "1", "2", "4", "5", "6", "7"]
    assert await ConnectionIndex(bus, "other").ids() == []


def test_a_record_of_format_1_is_read():
    assert decode_record((FIXTURES / "connection-1.json").read_bytes()) == KEPT


def test_a_record_of_before_there_was_a_format_is_read():
    without = {**msgspec.to_builtins(KEPT)}
    del without["format_version"]
    assert decode_record(msgspec.json.encode(without)) == KEPT


def test_a_newer_format_is_refused_with_both_versions_named():
    newer = {**msgspec.to_builtins(KEPT), "format_version": 2, "handshake": "of another kind"}
    with pytest.raises(RecordVersionError, match="format version 2, this program reads up to 1"):
        decode_record(msgspec.json.encode(newer))
