"""The bytes of the spool: cut anywhere, edited, of another version, or made by an earlier release."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frames.runs import flat
from tests.websocketmanager.fixtures.make_spool import HEADER, HEADERS, ITEMS, folder
from tests.websocketmanager.spooling import frame, marker
from virtufin_examples.frames import Restored, Stale
from virtufin_examples.websocketmanager.spool import _format
from virtufin_examples.websocketmanager.spool._format import (
    Mark,
    SpoolFormatError,
    SpoolVersionError,
    decode_header,
    decode_record,
    encode_header,
    encode_records,
    marks_of,
    scan,
)

_KINDS = st.lists(
    st.tuples(st.sampled_from("ab"), st.one_of(st.integers(0, 400), st.just("gap"), st.just("stale"))),
    max_size=40,
)


def items_of(kinds):
    items, numbers = [], {"a": 0, "b": 0}
    for connection, kind in kinds:
        numbers[connection] += 1
        number = numbers[connection]
        if kind == "gap":
            items.append(marker(number, connection=connection))
        elif kind == "stale":
            stale = Stale(topic="", connection_id=connection, epoch=1, sequence=number, since_ns=5)
            items.append(stale)
        else:
            items.append(frame(number, connection=connection, data=bytes(kind)))
    return items


@pytest.fixture(autouse=True, scope="module")
def small_records():
    before, _format.RECORD_BYTES = _format.RECORD_BYTES, 1000
    yield
    _format.RECORD_BYTES = before


@given(_KINDS, st.data())
def test_cut_at_any_byte_what_is_whole_comes_back_in_order_and_nothing_else(kinds, data):
    items = items_of(kinds)
    records = encode_records(items, "me")
    content = b"".join(record for record, _ in records)
    cut = data.draw(st.integers(0, len(content)))
    found = scan(content[:cut], 0)
    whole, size = 0, 0
    for record, count in records:
        if size + len(record) > cut:
            break
        whole, size = whole + count, size + len(record)
    assert flat(item for record in found.records for item in decode_record(record)) == flat(items[:whole])
    assert found.end == size
    assert bool(found.problem) == (size < cut)


@given(_KINDS.filter(bool), st.data())
def test_a_changed_byte_is_found(kinds, data):
    content = bytearray(b"".join(record for record, _ in encode_records(items_of(kinds), "me")))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    found = scan(bytes(content), 0)
    assert found.problem
    assert found.end <= at
    assert all(record.end <= at for record in found.records)


@given(_KINDS)
def test_marks_tell_how_far_each_connection_goes(kinds):
    items = items_of(kinds)
    found = scan(b"".join(record for record, _ in encode_records(items, "me")), 0)
    marks: dict[str, Mark] = {}
    for record in found.records:
        marks.update(marks_of(record))
    assert {name: mark.sequence for name, mark in marks.items()} == {
        item.connection_id: item.sequence for item in flat(items)
    }


def test_markers_of_all_kinds_come_back_as_they_were():
    restored = Restored(topic="", connection_id="a", epoch=2, sequence=3, since_ns=7, symbols=("X",))
    items = [marker(1, connection="a"), *items_of([("b", "stale")]), restored]
    found = scan(b"".join(record for record, _ in encode_records(items, "me")), 0)
    assert flat(item for record in found.records for item in decode_record(record)) == flat(items)


def test_a_header_says_what_the_items_are():
    data = encode_header(HEADER)
    assert decode_header(data + b"rest") == (HEADER, len(data))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:10], "no spool segment"),
        (lambda data: b"NOTSPOOL" + data[8:], "NOTSPOOL"),
        (lambda data: data[:-3], "damaged"),
        (lambda data: data[:-3] + b"xxx", "damaged"),
    ],
)
def test_what_is_no_segment_is_refused(change, words):
    with pytest.raises(SpoolFormatError, match=words):
        decode_header(change(encode_header(HEADER)))


def test_another_version_is_refused_with_both_versions_named():
    data = bytearray(encode_header(HEADER))
    data[8:10] = (3).to_bytes(2, "little")
    with pytest.raises(SpoolVersionError, match="version 3, this program reads up to 2"):
        decode_header(bytes(data))


def test_only_one_of_several_partitions_needs_the_newer_version():
    assert encode_header(HEADER)[8:10] == b"\x01\x00"
    partition = msgspec.structs.replace(HEADER, partition=2, partitions=3)
    data = encode_header(partition)
    assert data[8:10] == b"\x02\x00"
    assert decode_header(data) == (partition, len(data))
    assert partition.name == "books 2/3"
    assert HEADER.name == "books"


def test_an_unknown_kind_of_record_is_refused():
    record = scan(encode_records([marker(1)], "me")[0][0], 0).records[0]
    with pytest.raises(SpoolFormatError, match="kind 9"):
        decode_record(_format.Record(9, record.payload, 0, record.end))
    with pytest.raises(SpoolFormatError, match="cannot be read"):
        decode_record(_format.Record(2, b"{]", 0, record.end))


@pytest.mark.parametrize("version", HEADERS)
def test_a_segment_of_each_format_is_read(version):
    data = (folder(version) / "0000000000000001.segment").read_bytes()
    header, begin = decode_header(data)
    found = scan(data[begin:], begin)
    assert (data[8], header) == (version, HEADERS[version])
    assert not found.problem
    assert flat(item for record in found.records for item in decode_record(record)) == ITEMS
