"""Edits of the settings file."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from virtufin_examples.client import FeedSettings
from virtufin_examples.errors import InvalidInputError
from virtufin_examples.example_run._edits import Saves, signature_of, symbol_changes

SETTINGS = FeedSettings(
    url="wss://stream.binance.com:9443/stream", channel="trade", symbols=("BTCUSDT", "ETHUSDT"), topic="t"
)


def test_symbols_that_come_and_go_are_told() -> None:
    edited = dataclasses.replace(SETTINGS, symbols=("SOLUSDT", "BTCUSDT"))
    assert symbol_changes(SETTINGS, edited, where="s.json") == (("SOLUSDT",), ("ETHUSDT",))
    turned = dataclasses.replace(SETTINGS, symbols=("ETHUSDT", "BTCUSDT"))
    assert symbol_changes(SETTINGS, turned, where="s.json") == ((), ())


@pytest.mark.parametrize("field", ["url", "channel", "topic", "symbols_a_connection"])
def test_another_field_is_refused_with_both_values(field: str) -> None:
    edited = dataclasses.replace(SETTINGS, **{field: 7 if field.startswith("symbols") else "x"})
    with pytest.raises(InvalidInputError) as refused:
        symbol_changes(SETTINGS, edited, where="s.json")
    assert all(word in str(refused.value) for word in ("s.json", field, repr(getattr(SETTINGS, field))))


def test_a_save_is_told_once_and_when_it_has_settled() -> None:
    saves = Saves()
    looks = [(2, 0, 1), (2, 5, 1), (3, 12, 1), (3, 12, 1), (3, 12, 1), None, None, (4, 1, 2)]
    assert [saves.look(look) for look in looks] == [
        *[False, False, False, True, False],
        *[False, True, False],
    ]


def test_what_is_there_at_first_is_told_for_it_may_have_been_saved_while_the_run_began() -> None:
    saves = Saves()
    assert [saves.look((1, 10, 1)) for _ in range(4)] == [False, True, False, False]


def test_a_file_that_is_replaced_has_another_signature(tmp_path: Path) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    assert signature_of(file) is None
    for each in (file, other):
        each.write_text("same")
        os.utime(each, ns=(1, 1))
    before = signature_of(file)
    other.replace(file)
    assert signature_of(file) != before
