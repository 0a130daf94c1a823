from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bus.embedded.events import Clock, seeded
from virtufin_examples.bus.embedded._storage import FILE_NAME, Change, Storage, UnlockStatus
from virtufin_examples.errors import ConflictError, UnavailableError


@pytest.fixture(params=["memory", "file"])
def folder(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "data"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def storage(folder, clock):
    storage = Storage(folder, clock)
    yield storage
    storage.close()


def _value(storage, key):
    (stored,) = storage.get([key])
    return None if stored is None else stored.value


def test_what_is_written_is_read(storage):
    storage.change([Change("a", b"1"), Change("b", b"")])

    assert [stored and stored.value for stored in storage.get(["b", "none", "a"])] == [b"", None, b"1"]


def test_every_write_has_a_new_etag_that_must_match(storage):
    storage.change([Change("a", b"1")])
    (first,) = storage.get(["a"])
    storage.change([Change("a", b"1", etag=first.etag)])
    (second,) = storage.get(["a"])

    assert second.etag != first.etag
    with pytest.raises(ConflictError, match=first.etag):
        storage.change([Change("a", b"2", etag=first.etag)])
    with pytest.raises(ConflictError):
        storage.change([Change("a", None, etag=first.etag)])
    assert _value(storage, "a") == b"1"
    storage.change([Change("a", None, etag=second.etag)])
    assert _value(storage, "a") is None


def test_an_etag_for_a_key_that_is_not_there_is_a_conflict(storage):
    with pytest.raises(ConflictError):
        storage.change([Change("a", b"1", etag="1")])
    with pytest.raises(ConflictError):
        storage.change([Change("a", None, etag="1")])


def test_first_write_without_an_etag_demands_a_free_key(storage):
    storage.change([Change("a", b"1", first_write=True)])

    with pytest.raises(ConflictError):
        storage.change([Change("a", b"2", first_write=True)])
    with pytest.raises(ConflictError):
        storage.change([Change("a", None, first_write=True)])
    storage.change([Change("a", b"3")])
    assert _value(storage, "a") == b"3"


def test_changes_are_made_in_full_or_not_at_all(storage):
    storage.change([Change("a", b"1"), Change("b", b"1")])

    with pytest.raises(ConflictError):
        storage.change([Change("a", b"2"), Change("c", b"2"), Change("b", b"2", etag="stale")])
    assert [_value(storage, key) for key in "abc"] == [b"1", b"1", None]


def test_etags_are_checked_before_anything_changes(storage):
    storage.change([Change("a", b"1"), Change("a", b"2", first_write=True)])

    assert _value(storage, "a") == b"2"


def test_a_value_lives_for_its_time(storage, clock):
    storage.change([Change("a", b"1", ttl_seconds=5), Change("b", b"1", ttl_seconds=-1)])
    (stored,) = storage.get(["a"])
    assert stored.expires_at == clock.now + 5

    clock.advance(5)
    assert _value(storage, "a") is None
    assert _value(storage, "b") == b"1"
    storage.change([Change("a", b"2", first_write=True)])
    assert _value(storage, "a") == b"2"


def test_an_expired_value_has_no_etag_to_match(storage, clock):
    storage.change([Change("a", b"1", ttl_seconds=5)])
    (stored,) = storage.get(["a"])
    clock.advance(5)

    with pytest.raises(ConflictError):
        storage.change([Change("a", b"2", etag=stored.etag)])


def test_a_lock_is_held_by_one_until_it_is_given_back(storage):
    assert storage.try_lock("r", "one", 10)
    assert not storage.try_lock("r", "two", 10)
    assert not storage.try_lock("r", "one", 10)
    assert storage.unlock("r", "two") is UnlockStatus.LOCK_BELONGS_TO_OTHERS
    assert storage.unlock("r", "one") is UnlockStatus.SUCCESS
    assert storage.unlock("r", "one") is UnlockStatus.LOCK_DOES_NOT_EXIST
    assert storage.try_lock("r", "two", 10)


def test_a_lock_lapses(storage, clock):
    assert storage.try_lock("r", "one", 10)
    clock.advance(10)

    assert storage.unlock("r", "one") is UnlockStatus.LOCK_DOES_NOT_EXIST
    assert storage.try_lock("r", "two", 10)


def test_a_file_survives_a_restart(tmp_path, clock):
    before = Storage(tmp_path, clock)
    before.change([Change("a", b"1"), Change("b", b"1", ttl_seconds=5)])
    before.try_lock("r", "one", 10)
    etag = before.get(["a"])[0].etag
    before.close()
    clock.advance(5)

    after = Storage(tmp_path, clock)
    assert after.get(["a"])[0].etag == etag
    assert _value(after, "b") is None
    assert not after.try_lock("r", "two", 10)
    after.close()


def test_a_folder_that_cannot_be_used_is_named(tmp_path, clock):
    file = tmp_path / "file"
    file.write_bytes(b"")

    with pytest.raises(UnavailableError, match="VIRTUFIN_DATA_DIR") as caught:
        Storage(file / "inside", clock)
    assert str(file) in str(caught.value)


_KEYS = st.sampled_from("abc")
_CHANGES = st.lists(
    st.tuples(
        _KEYS, st.none() | st.binary(max_size=3), st.sampled_from(["", "current", "stale"]), st.booleans()
    ),
    min_size=1,
    max_size=3,
)


@seeded
@given(st.lists(_CHANGES, max_size=10))
def test_state_behaves_like_a_dictionary_with_versions(transactions):
    storage = Storage(None, Clock())
    model: dict[str, bytes] = {}
    for transaction in transactions:
        etags = {key: stored.etag for key in "abc" if (stored := storage.get([key])[0]) is not None}
        changes = [
            Change(key, value, {"": "", "stale": "x", "current": etags.get(key, "x")}[etag], first)
            for key, value, etag, first in transaction
        ]
        fits = all(
            (change.etag == etags.get(change.key))
            if change.etag
            else not (change.first_write and change.key in model)
            for change in changes
        )
        try:
            storage.change(changes)
        except ConflictError:
            assert not fits
            continue
        assert fits
        for change in changes:
            if change.value is None:
                model.pop(change.key, None)
            else:
                model[change.key] = change.value
        assert {key: _value(storage, key) for key in "abc"} == {key: model.get(key) for key in "abc"}
    storage.close()


def _version(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.parametrize("version", [0, 1])
def test_a_file_of_each_format_is_read_and_written_on(version, tmp_path, clock):
    kept = Path(__file__).parent / "fixtures" / f"state-{version}.sqlite3"
    file = tmp_path / FILE_NAME
    shutil.copyfile(kept, file)
    storage = Storage(tmp_path, clock)
    (stored,) = storage.get(["a"])
    storage.change([Change("a", b"2", etag=stored.etag)])
    assert (stored.value, stored.etag, _value(storage, "a")) == (b"1", "0123456789abcdef", b"2")
    assert storage.unlock("door", "me") is UnlockStatus.SUCCESS
    storage.close()
    assert _version(file) == 1


def test_a_newer_format_is_refused_with_both_versions_named_and_left_as_it_is(tmp_path, clock):
    file = tmp_path / FILE_NAME
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 2")
    before = file.read_bytes()
    with pytest.raises(UnavailableError, match="format version 2, this program reads up to 1"):
        Storage(tmp_path, clock)
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]
