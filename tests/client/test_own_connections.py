from __future__ import annotations

from virtufin_examples.client._own_connections import OwnConnections
from virtufin_examples.errors import UnavailableError
from virtufin_examples.frames import Frame, Silent


def frame(connection_id: str) -> Frame:
    return Frame(topic="t", connection_id=connection_id, epoch=1, sequence=1, received_ns=1, data=b"")


class Platform:
    def __init__(self, *connections: str) -> None:
        self.connections: list[str] = list(connections)
        self.down = False
        self.asked = 0

    async def look(self) -> list[str]:
        self.asked += 1
        if self.down:
            raise UnavailableError("the gateway is down")
        return self.connections


async def test_connections_that_were_opened_with_the_feed_need_no_question():
    platform = Platform()
    assert OwnConnections(["a"], platform.look).verdict(frame("a")) is True
    assert platform.asked == 0


async def test_an_earlier_feeds_frames_are_not_its_own_and_asked_about_once():
    platform = Platform("a")
    own = OwnConnections(["a"], platform.look)
    assert own.verdict(frame("old")) is None
    assert await own.find_out(frame("old")) is False
    assert own.verdict(frame("old")) is False
    assert platform.asked == 1


async def test_a_connection_that_was_added_since_is_its_own():
    platform = Platform("a", "b", "c")
    own = OwnConnections(["a"], platform.look)
    assert await own.find_out(frame("b")) is True
    assert own.verdict(frame("c")) is True
    assert platform.asked == 1


async def test_while_the_platform_does_not_answer_nothing_is_left_out():
    platform = Platform("a")
    platform.down = True
    own = OwnConnections(["a"], platform.look)
    assert await own.find_out(frame("b")) is True
    platform.down = False
    assert await own.find_out(frame("b")) is False


def test_a_silence_of_the_topic_belongs_to_everybody():
    own = OwnConnections(["a"], Platform().look)
    assert own.verdict(Silent(topic="t", since_ns=1)) is True


async def test_a_silence_of_connections_is_a_feeds_own_when_one_of_them_is():
    platform = Platform("a")
    own = OwnConnections(["a"], platform.look)
    assert own.verdict(Silent(topic="t", since_ns=1, connections=("old", "a"))) is True
    others = Silent(topic="t", since_ns=1, connections=("old", "older"))
    assert own.verdict(others) is None
    assert await own.find_out(others) is False
    assert own.verdict(others) is False
