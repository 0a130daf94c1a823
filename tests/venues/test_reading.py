"""What a session reads of its options, and of messages that may be JSON."""

from __future__ import annotations

import pytest

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import json_of, option_seconds


def test_an_option_that_is_not_given_has_its_default():
    assert option_seconds({}, "renew_seconds", 60.0) == 60.0
    assert option_seconds({"renew_seconds": "2.5"}, "renew_seconds", 60.0) == 2.5


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "-inf", "-1", "0.9", "3600.1", "1e9"])
def test_seconds_out_of_bounds_are_refused_with_name_value_and_bounds(text):
    with pytest.raises(InvalidInputError) as refused:
        option_seconds({"renew_seconds": text}, "renew_seconds", 60.0, least=1.0, most=3600.0)
    assert refused.value.message == f'options: renew_seconds is "{text}"'
    assert refused.value.hint == "give 1 to 3600 seconds"


@pytest.mark.parametrize(
    "payload", [b"", b"no json", b"[1", b"\xff", b'["\xff"]', b'"\\ud800', b"[" * 100_000]
)
def test_what_is_no_json_is_none(payload):
    assert json_of(payload) is None


def test_what_is_json_is_its_value():
    assert json_of(b' ["join", {"a": 1}] ') == ["join", {"a": 1}]
