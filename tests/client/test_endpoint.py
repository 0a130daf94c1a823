from __future__ import annotations

import pytest

from virtufin_examples.client._endpoint import parse_endpoint
from virtufin_examples.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("h:1", "h:1"),
        ("h", "h:5002"),
        (" http://h:1/ ", "h:1"),
        ("[::1]:7", "[::1]:7"),
        ("http://10.0.0.1", "10.0.0.1:5002"),
    ],
)
def test_accepted_forms(text: str, wanted: str) -> None:
    assert str(parse_endpoint(text)) == wanted


@pytest.mark.parametrize(
    "text", ["", "https://h:1", "h:0", "h:99999", "h:x", "h:1/path", "u@h:1", "ws://h", "http://", ":5002"]
)
def test_everything_else_is_refused_with_the_value(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_endpoint(text)
    assert repr(text) in str(caught.value)
    assert caught.value.hint
