"""The embedded runtime with `--strict`: where it is kinder otherwise, it answers as daprd in memory."""

from __future__ import annotations

import pytest

from tests.dapr.differences import DIFFERENCES
from tests.dapr.targets import Target
from tests.dapr.test_answers import (
    test_a_dropped_message_goes_to_the_dead_letter_topic,
    test_a_message_answered_with_retry_comes_again,
    test_how_many_messages_are_unanswered_at_once,
    test_what_follows_a_message_that_is_tried_again,
)
from tests.dapr.test_publishing import (
    test_messages_arrive_in_order_and_once,
    test_what_does_not_travel_everywhere,
    test_what_travels_exactly,
)

__all__ = [
    "test_a_dropped_message_goes_to_the_dead_letter_topic",
    "test_a_message_answered_with_retry_comes_again",
    "test_how_many_messages_are_unanswered_at_once",
    "test_messages_arrive_in_order_and_once",
    "test_what_does_not_travel_everywhere",
    "test_what_follows_a_message_that_is_tried_again",
    "test_what_travels_exactly",
]

pytestmark = pytest.mark.parametrize("target", [Target.STRICT], indirect=True, scope="session")

_MIMICKED = {
    *("json", "other types", "text that is not UTF-8", "other types as JSON", "in flight", "retry"),
    "json over HTTP",
}


@pytest.mark.parametrize("key", [key for key in DIFFERENCES if key not in _MIMICKED])
def test_where_else_the_embedded_runtime_differs_from_daprd_in_memory_it_is_one_for_all_app_ids(target, key):
    answers = DIFFERENCES[key].answers

    same = answers[Target.EMBEDDED] == answers[Target.IN_MEMORY]
    assert same or key == "other app id"
