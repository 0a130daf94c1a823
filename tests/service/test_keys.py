"""API keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.service._keys import key_is_accepted


@given(st.text(), st.lists(st.text(min_size=1), min_size=1))
def test_only_an_exact_key_is_accepted(given_key: str, accepted: list[str]) -> None:
    assert key_is_accepted(given_key, accepted) is (given_key in accepted)


@given(st.text())
def test_without_keys_every_call_is_accepted(given_key: str) -> None:
    assert key_is_accepted(given_key, ())
