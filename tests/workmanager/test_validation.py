"""What a request may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.workmanager._validation import check_config, check_tags, check_topic


@given(st.text(max_size=8), st.text(max_size=200))
def test_config_takes_exactly_the_legal_attribute_names(key: str, value: str) -> None:
    legal = (
        key.isascii() and key.isalnum() and key == key.lower() and key not in ("id", "type", "data", "time")
    )
    if legal and key not in ("source", "subject", "specversion"):
        assert check_config({key: value}) == {key: value}
    else:
        with pytest.raises(InvalidInputError, match="config: "):
            check_config({key: value})


@given(st.dictionaries(st.text(min_size=1, max_size=140), st.text(max_size=1100), max_size=60))
def test_tags_keep_the_limits(tags: dict[str, str]) -> None:
    good = len(tags) <= 50 and all(len(key) <= 128 and len(value) <= 1024 for key, value in tags.items())
    if good:
        assert check_tags(tags) == tags
    else:
        with pytest.raises(InvalidInputError, match="tags: "):
            check_tags(tags)


def test_topic_and_its_older_spelling() -> None:
    assert check_topic("a", []) == check_topic("", ["a"]) == check_topic("a", ["a"]) == "a"
    for topic, topics in [("", []), ("a", ["b"]), ("", ["a", "b"]), ("a\n", []), ("x" * 257, [])]:
        with pytest.raises(InvalidInputError, match="topic"):
            check_topic(topic, topics)
