"""The messages between WorkManager and host."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.errors import ResourceLimitError
from virtufin_examples.workmanager import _wire


@given(st.binary(max_size=300), st.integers(1, 50))
def test_messages_survive_the_pipe(code: bytes, number: int) -> None:
    for message in (
        _wire.Load("w", "t", "m", code),
        _wire.Process(number, msgspec.Raw(b'{"a":1}')),
        _wire.Ping(number),
    ):
        data = _wire.pack(message)
        assert _wire.body_length(data[:4]) == len(data) - 4
        assert _wire.read_to_host(data[4:]) == message


def test_a_message_that_is_too_large_is_refused_on_both_sides() -> None:
    with pytest.raises(ResourceLimitError, match="result: "):
        _wire.pack(_wire.Result(1, msgspec.Raw(b'"' + b"x" * _wire.MAX_MESSAGE_BYTES + b'"')))
    with pytest.raises(ResourceLimitError, match="announced"):
        _wire.body_length((2**31).to_bytes(4, "big"))
