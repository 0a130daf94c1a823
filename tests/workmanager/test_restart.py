"""When hosts are restarted and events retried."""

from __future__ import annotations

from virtufin_examples.workmanager._restart import (
    MAX_DELAY_SECONDS,
    MAX_RESTARTS,
    STABLE_SECONDS,
    RestartPolicy,
    retry_delay,
)


def test_restarts_double_their_delay_and_end() -> None:
    policy = RestartPolicy()
    policy.started(0.0)
    delays = [policy.died(1.0) for _ in range(MAX_RESTARTS)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert max(delays) <= MAX_DELAY_SECONDS
    assert policy.died(1.0) is None


def test_an_answer_or_a_long_life_begins_a_new_count() -> None:
    policy = RestartPolicy()
    for _ in range(3 * MAX_RESTARTS):
        policy.started(0.0)
        assert policy.died(1.0) == 0.1
        policy.answered()
    for number in range(1, 3 * MAX_RESTARTS):
        policy.started(0.0)
        assert policy.died(STABLE_SECONDS * number) == 0.1


def test_an_event_is_tried_four_times() -> None:
    assert [retry_delay(attempt) for attempt in range(4)] == [0.2, 0.4, 0.8, None]
