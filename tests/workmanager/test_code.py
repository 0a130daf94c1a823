"""What is shown and stored of a code source."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.workmanager._code import shown_url


@given(st.text("abc/?#@:.", max_size=30))
def test_a_shown_url_has_no_user_info_query_or_fragment(rest: str) -> None:
    shown = shown_url("https://user:canary@" + "host/" + rest + "?token=canary#canary")
    assert "canary" not in shown
