from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bus.embedded.events import Clock, event, publish, seeded
from virtufin_examples.bus._port import Ack
from virtufin_examples.bus.embedded._broker import STALL_SECONDS, Broker
from virtufin_examples.bus.embedded._subscription import (
    MAX_DELIVERIES,
    RETRY_CAP_SECONDS,
    Cause,
    EndReason,
    SubscriptionOptions,
    retry_delay_seconds,
)

_QUEUE_BYTES = 4000


class Bench:
    """A broker with everything that it reports."""

    def __init__(self, queue_bytes: int = 1 << 30, *, serial: bool = False) -> None:
        self.clock = Clock()
        self.lost: Counter[Cause] = Counter()
        self.room = 0
        self.broker = Broker(
            self.clock,
            on_room=self._on_room,
            on_lost=self._on_lost,
            queue_bytes=queue_bytes,
            serial=serial,
        )

    def _on_room(self):
        self.room += 1

    def _on_lost(self, _options, cause, count):
        self.lost[cause] += count

    def subscribe(self, topic="topic", *, app_id="app", dead="", raw=False, wake=lambda: None):
        return self.broker.subscribe(SubscriptionOptions(app_id, topic, dead, raw), wake)

    def publish(self, name, *, topic="topic", ttl=0, raw=False):
        metadata = {"cloudevent.id": name} | ({"ttlInSeconds": str(ttl)} if ttl else {})
        self.broker.publish(
            topic, publish(name.encode(), topic=topic, metadata=metadata, raw=raw, clock=self.clock.now)
        )


def _take_all(subscription):
    taken = []
    while (message := subscription.take()) is not None:
        taken.append(event(message).data.decode())
    return taken


def test_every_subscription_gets_every_message_in_order():
    bench = Bench()
    bench.publish("before")
    first, second = bench.subscribe(), bench.subscribe(app_id="other")
    for number in range(100):
        bench.publish(str(number))

    assert _take_all(first) == _take_all(second) == [str(number) for number in range(100)]


def test_many_are_under_way_and_answered_in_any_order():
    bench = Bench()
    subscription = bench.subscribe()
    for name in "abc":
        bench.publish(name)
    _take_all(subscription)

    assert [subscription.answer(name, Ack.SUCCESS) for name in "cab"] == [True, True, True]
    assert subscription.answer("a", Ack.SUCCESS) is False
    assert subscription.held_bytes == 0


def test_what_is_larger_than_asked_for_is_left_in_its_place():
    bench = Bench()
    subscription = bench.subscribe()
    for name in ("small", "large" * 100, "small too"):
        bench.publish(name)
    assert event(subscription.take(400)).id == "small"
    assert subscription.take(400) is None
    assert _take_all(subscription) == ["large" * 100, "small too"]
    subscription.answer("large" * 100, Ack.RETRY)
    bench.clock.advance(1)
    assert subscription.take(400) is None
    assert _take_all(subscription) == ["large" * 100]


def test_the_same_event_id_twice_takes_two_answers():
    bench = Bench()
    subscription = bench.subscribe()
    bench.publish("same")
    bench.publish("same")

    assert _take_all(subscription) == ["same", "same"]
    assert [subscription.answer("same", Ack.SUCCESS) for _ in range(3)] == [True, True, False]


def test_drop_goes_to_the_dead_letter_topic():
    bench = Bench()
    subscription, dead = bench.subscribe(dead="dead"), bench.subscribe("dead")
    bench.publish("a")
    _take_all(subscription)
    subscription.answer("a", Ack.DROP)

    letter = dead.take()
    assert (event(letter).topic, event(letter).extensions["topic"]) == ("dead", "topic")
    assert (event(letter).id, event(letter).data) == ("a", b"a")
    assert not bench.lost


@pytest.mark.parametrize("dead", ["", "nobody-reads-it"])
def test_drop_without_a_reader_of_dead_letters_is_reported(dead):
    bench = Bench()
    subscription = bench.subscribe(dead=dead)
    bench.publish("a")
    _take_all(subscription)
    subscription.answer("a", Ack.DROP)

    assert bench.lost == {Cause.DROPPED: 1}


def test_retry_delivers_again_after_a_growing_pause_and_lets_newer_ones_pass():
    bench = Bench()
    subscription = bench.subscribe()
    bench.publish("a")
    bench.publish("b")
    assert _take_all(subscription) == ["a", "b"]

    subscription.answer("a", Ack.RETRY)
    assert subscription.take() is None
    due = subscription.next_retry_at()
    assert due == pytest.approx(bench.clock.now + 0.1)
    bench.clock.advance(0.1)
    assert _take_all(subscription) == ["a"]
    subscription.answer("a", Ack.RETRY)
    bench.clock.advance(0.15)
    assert subscription.take() is None
    bench.clock.advance(0.0625)
    bench.publish("c")
    assert _take_all(subscription) == ["a", "c"]
    assert subscription.answer("a", Ack.SUCCESS)
    assert subscription.next_retry_at() is None


def test_the_pause_is_bounded():
    pauses = [retry_delay_seconds(count) for count in range(1, 200)]

    assert pauses == sorted(pauses)
    assert pauses[0] == 0.1
    assert pauses[-1] == RETRY_CAP_SECONDS


def test_retries_end_in_the_dead_letter_topic():
    bench = Bench()
    subscription, dead = bench.subscribe(dead="dead"), bench.subscribe("dead")
    bench.publish("a")
    deliveries = 0
    while subscription.take() is not None:
        deliveries += 1
        subscription.answer("a", Ack.RETRY)
        bench.clock.advance(RETRY_CAP_SECONDS)

    assert deliveries == MAX_DELIVERIES
    assert _take_all(dead) == ["a"]
    assert subscription.held_bytes == 0


def test_an_expired_message_goes_to_the_dead_letter_topic_and_stays_there():
    bench = Bench()
    subscription, dead = bench.subscribe(dead="dead"), bench.subscribe("dead")
    bench.publish("short", ttl=5)
    bench.publish("long", ttl=60)
    bench.clock.advance(5)

    assert _take_all(subscription) == ["long"]
    bench.clock.advance(1000)
    assert _take_all(dead) == ["short"]


def test_a_retry_that_expires_is_not_delivered_again():
    bench = Bench()
    subscription = bench.subscribe()
    bench.publish("a", ttl=1)
    _take_all(subscription)
    subscription.answer("a", Ack.RETRY)
    bench.clock.advance(1)

    assert subscription.take() is None
    assert bench.lost == {Cause.EXPIRED: 1}


def test_a_full_subscription_blocks_its_topic_only_and_room_is_announced():
    bench = Bench(_QUEUE_BYTES)
    subscription = bench.subscribe()
    published = 0
    while bench.broker.blocking("topic") is None:
        bench.publish(str(published))
        published += 1
    assert published < _QUEUE_BYTES / 512
    assert bench.broker.blocking("other") is None

    first = _take_all(subscription)[0]
    assert bench.broker.blocking("topic") is subscription
    assert bench.room == 0
    subscription.answer(first, Ack.SUCCESS)
    assert bench.room == 1
    assert bench.broker.blocking("topic") is None


def test_a_subscription_that_stands_still_is_ended():
    bench = Bench(_QUEUE_BYTES)
    subscription = bench.subscribe()
    while bench.broker.blocking("topic") is None:
        bench.publish("x")

    bench.clock.advance(STALL_SECONDS - 0.01)
    assert bench.broker.blocking("topic") is subscription
    bench.clock.advance(0.01)
    assert bench.broker.blocking("topic") is None
    assert subscription.end_reason is EndReason.STALLED
    assert bench.lost[Cause.ENDED] > 0


def test_a_slow_subscription_that_answers_is_not_ended():
    bench = Bench(_QUEUE_BYTES)
    subscription = bench.subscribe()
    for number in range(20):
        bench.publish(str(number))
    for number in range(10):
        assert bench.broker.blocking("topic") is subscription
        bench.clock.advance(STALL_SECONDS - 1)
        assert event(subscription.take()).id == str(number)
        subscription.answer(str(number), Ack.SUCCESS)
    assert subscription.end_reason is None


def test_a_returning_reader_inherits_what_it_has_not_had():
    bench = Bench()
    old = bench.subscribe()
    for name in "abc":
        bench.publish(name)
    _take_all(old)
    old.answer("b", Ack.SUCCESS)
    old.answer("c", Ack.RETRY)
    returned = bench.subscribe()
    bench.publish("d")

    old.end()

    assert _take_all(returned) == ["a", "c", "d"]
    assert not bench.lost


def test_a_reader_that_was_there_already_gets_nothing_twice():
    bench = Bench()
    leaving, staying = bench.subscribe(), bench.subscribe()
    bench.publish("a")

    leaving.end()

    assert _take_all(staying) == ["a"]
    assert not bench.lost


def test_another_app_id_inherits_nothing():
    bench = Bench()
    leaving = bench.subscribe(app_id="one")
    bench.publish("a")
    other = bench.subscribe(app_id="two")

    leaving.end()
    leaving.end()

    assert _take_all(other) == []
    assert bench.lost == {Cause.ENDED: 1}


def test_an_inherited_message_keeps_its_count_of_deliveries():
    bench = Bench()
    reader = bench.subscribe(dead="dead")
    dead = bench.subscribe("dead")
    bench.publish("poison")
    for _ in range(MAX_DELIVERIES - 1):
        assert _take_all(reader) == ["poison"]
        returned = bench.subscribe(dead="dead")
        reader.end()
        reader = returned
    assert _take_all(reader) == ["poison"]
    reader.answer("poison", Ack.RETRY)

    assert _take_all(dead) == ["poison"]


def test_undecodable_bytes_go_to_a_raw_reader_of_dead_letters_only():
    bench = Bench()
    bench.subscribe(dead="dead")
    plain, raw = bench.subscribe("dead"), bench.subscribe("dead", raw=True)
    bench.publish("no event", raw=True)

    assert _take_all(plain) == []
    assert _take_all(raw) == ["no event"]
    assert bench.lost == {Cause.UNDECODABLE: 1}


def test_a_dead_letter_topic_that_is_the_topic_itself_ends():
    bench = Bench()
    bench.subscribe(dead="topic")
    bench.publish("no event", raw=True)

    assert bench.lost == {Cause.UNDECODABLE: 1}


def test_dropped_by_a_raw_subscriber_the_event_itself_is_the_dead_letter():
    bench = Bench()
    raw, dead = bench.subscribe(dead="dead", raw=True), bench.subscribe("dead")
    bench.publish("a")
    payload = event(raw.take())
    assert json.loads(payload.data)["data"] == "a"

    raw.answer(payload.id, Ack.DROP)

    assert _take_all(dead) == ["a"]


def test_a_full_reader_of_dead_letters_loses_them_with_a_report():
    bench = Bench(_QUEUE_BYTES)
    subscription, dead = bench.subscribe(dead="dead"), bench.subscribe("dead")
    while not dead.full:
        bench.publish("x", topic="dead")
    bench.publish("a")
    _take_all(subscription)
    subscription.answer("a", Ack.DROP)

    assert bench.lost == {Cause.DEAD_LETTER_FULL: 1}


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 2)),
        st.tuples(st.just("take"), st.integers(0, 2)),
        st.tuples(st.just("answer"), st.tuples(st.integers(0, 50), st.sampled_from(list(Ack)))),
        st.tuples(st.just("wait"), st.floats(0.01, 6)),
    ),
    max_size=120,
)


class _Subscriber:
    """Takes and answers, and remembers what it saw."""

    def __init__(self, subscription):
        self.subscription = subscription
        self.first_seen, self.under_way, self.done = [], [], []

    def take(self):
        message = self.subscription.take()
        if message is None:
            return False
        name = event(message).id
        if name not in self.first_seen:
            self.first_seen.append(name)
        self.under_way.append(name)
        return True

    def answer(self, index, ack):
        if not self.under_way:
            return
        name = self.under_way.pop(index % len(self.under_way))
        assert self.subscription.answer(name, ack)
        if ack is Ack.SUCCESS:
            self.done.append(name)

    def finish(self, clock):
        while self.take() or self.under_way or self.subscription.next_retry_at() is not None:
            while self.under_way:
                self.answer(0, Ack.SUCCESS)
            clock.advance(RETRY_CAP_SECONDS)


@seeded
@given(_STEPS)
def test_each_message_is_answered_once_or_dead_and_first_deliveries_keep_their_order(steps):
    bench = Bench()
    subscriber, dead = _Subscriber(bench.subscribe(dead="dead")), bench.subscribe("dead")
    woken = []
    watcher = bench.subscribe(wake=lambda: woken.append(1))
    published = []

    for step, argument in steps:
        if step == "publish":
            published.append(f"m{len(published)}")
            bench.publish(published[-1], ttl=[0, 1, 100][argument])
        elif step == "take":
            subscriber.take()
        elif step == "answer":
            subscriber.answer(*argument)
        else:
            bench.clock.advance(argument)
    subscriber.finish(bench.clock)

    letters = [event(message).id for message in iter(dead.take, None)]
    assert sorted(subscriber.done + letters) == sorted(published)
    assert subscriber.first_seen == [name for name in published if name in set(subscriber.first_seen)]
    assert subscriber.subscription.held_bytes == 0
    assert len(woken) == len(published)
    assert len(_take_all(watcher)) + bench.lost[Cause.EXPIRED] == len(published)


def test_a_serial_broker_has_one_message_under_way_and_blocks_its_topic():
    bench = Bench(serial=True)
    subscription = bench.subscribe()
    bench.publish("1")

    assert subscription.take().id == "1"
    assert bench.broker.blocking("topic") is subscription
    bench.clock.advance(10 * STALL_SECONDS)
    assert bench.broker.blocking("topic") is subscription
    subscription.answer("1", Ack.SUCCESS)
    assert bench.broker.blocking("topic") is None
    assert bench.room == 1


def test_a_serial_broker_holds_what_follows_until_a_retry_is_settled():
    bench = Bench(serial=True)
    dead = bench.subscribe("dead")
    for name in ("1", "2"):  # dead letters are not held up by one that is under way
        reader = bench.subscribe(dead="dead")
        bench.publish(name)
        reader.take()
        reader.answer(name, Ack.DROP)
        reader.end()
    assert dead.take().id == "1"
    assert dead.take() is None
    dead.answer("1", Ack.RETRY)
    assert dead.take() is None
    bench.clock.advance(RETRY_CAP_SECONDS)
    assert dead.take().id == "1"
    dead.answer("1", Ack.SUCCESS)
    assert dead.take().id == "2"
