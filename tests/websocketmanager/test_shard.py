"""Which shard a connection is of, and what shards of one machine share."""

from __future__ import annotations

import asyncio

import pytest

from tests.websocketmanager.fakes import MemoryBus
from virtufin_examples.cli._up import MAX_SHARDS as MAX_ON_THE_COMMAND_LINE
from virtufin_examples.connections import Scopes
from virtufin_examples.errors import InvalidInputError, PreconditionError
from virtufin_examples.venues import Budget, VenueLimits
from virtufin_examples.websocketmanager._index import ConnectionIndex, require_all_shards
from virtufin_examples.websocketmanager._shard import MAX_SHARDS, Shard, shard_of


@pytest.mark.parametrize("number", range(1, MAX_SHARDS + 1))
def test_an_id_says_which_shard_made_it(number):
    assert shard_of(Shard(number, MAX_SHARDS).new_id()) == number


@pytest.mark.parametrize("text", ["", "abc", "a.s", "a.s0", "a.s65", "a.s²", "a.s-1", ".s1x", "5"])
def test_an_id_without_a_shards_number_is_the_first_ones(text):
    assert shard_of(text) == 1


def test_the_first_shard_goes_on_with_what_a_platform_without_shards_kept():
    assert Shard(1, 4).part("") == ""
    assert Shard(1, 4).part("name") == "name"
    assert Shard(2, 4).part("") == "shard-2"
    assert Shard(2, 4).part("name") == "name.shard-2"
    assert len(Shard(1, 4).new_id()) == 32


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/65", "-1/2", "a/b", "1/2/3", "²/4"])
def test_what_names_no_shard_is_refused(text):
    with pytest.raises(InvalidInputError, match="shard is"):
        Shard.parse(text)


def test_the_command_line_takes_as_many_shards_as_there_can_be():
    assert Shard.parse(f"2/{MAX_ON_THE_COMMAND_LINE}") == Shard(2, MAX_SHARDS)


def test_a_venues_budgets_are_divided_among_the_shards():
    limits = VenueLimits(scope="venue", connects=Budget(300, 300.0), sockets=3)
    alone, shared = Scopes().scope(limits), Scopes(share=4).scope(limits)
    assert [alone.connect_wait(0.0) for _ in range(301)][-2:] == [0.0, 300.0]
    assert [shared.connect_wait(0.0) for _ in range(76)][-2:] == [0.0, 300.0]
    assert Scopes(share=4).scope(VenueLimits(scope="one", sockets=1)).has_room, "one at least"


async def test_fewer_shards_are_refused_while_one_left_out_has_connections():
    bus = MemoryBus()
    await require_all_shards(bus, "", Shard(1, 3))
    third = ConnectionIndex(bus, Shard(3, 3).part(""))
    await third.add("a.s3")
    with pytest.raises(
        PreconditionError, match="shard 3 has 1 connections kept here, and 2 shards are started"
    ):
        await require_all_shards(bus, "", Shard(1, 2))
    await require_all_shards(bus, "", Shard(1, 4))
    await third.remove("a.s3")
    await require_all_shards(bus, "", Shard(1, 1))


async def test_a_thousand_connections_opened_at_once_are_all_written_down_in_few_writes():
    bus = MemoryBus()
    writes = 0
    save = bus.save_state

    async def counting(*arguments, **options):
        nonlocal writes
        writes += 1
        await asyncio.sleep(0)
        return await save(*arguments, **options)

    bus.save_state = counting
    index = ConnectionIndex(bus, "")
    ids = [str(number) for number in range(1000)]

    await asyncio.gather(*map(index.add, ids))

    assert sorted(await index.ids()) == sorted(ids)
    assert writes <= 3
    await asyncio.gather(*map(index.remove, ids))
    assert await index.ids() == []


async def test_an_id_whose_write_failed_is_written_with_the_next():
    bus = MemoryBus()
    index = ConnectionIndex(bus, "")
    save, failures = bus.save_state, [PreconditionError("down")]

    async def failing(*arguments, **options):
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return await save(*arguments, **options)

    bus.save_state = failing
    results = await asyncio.gather(*map(index.add, "abc"), return_exceptions=True)
    assert [type(result) for result in results] == [PreconditionError, type(None), type(None)]
    assert sorted(await index.ids()) == ["a", "b", "c"]
