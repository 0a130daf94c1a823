"""A message that is too large: which limit it was, where that is set, and what becomes of a feed."""

from __future__ import annotations

import pytest

from tests.dapr.clients import Kind
from tests.dapr.sidecars import Resources, daprd, started
from tests.dapr.targets import PUBSUBS, Target
from tests.dapr.test_feed import read, running_feed
from virtufin_examples.bus.dapr import MAX_MESSAGE_BYTES, DaprBus
from virtufin_examples.errors import ResourceLimitError
from virtufin_examples.frames import Frame, Gap

MEGABYTE = 1024 * 1024


def on(*targets: Target) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("target", targets, indirect=True, scope="session", ids=str)


async def hint(bus: DaprBus, topic: str, size: int) -> str:
    """Return what is said to do about a message of so many bytes."""
    with pytest.raises(ResourceLimitError, match=f"publish to {topic}") as refused:
        await bus.publish(topic, bytes(size), content_type="application/octet-stream")
    return refused.value.hint


@on(*PUBSUBS)
async def test_what_is_larger_than_a_call_is_not_sent(opened, topic):
    bus = (await opened(Kind.OURS)).bus
    assert "16 MiB" in await hint(bus, topic, MAX_MESSAGE_BYTES)
    await bus.publish(topic, b"small", content_type="text/plain")


@on(Target.JETSTREAM)
async def test_the_limit_of_nats_is_named(opened, topic):
    assert "max_payload" in await hint((await opened(Kind.OURS)).bus, topic, MEGABYTE)


@on(Target.KAFKA)
async def test_the_limit_of_kafkas_component_is_named(opened, further, topic):
    sidecar = further("narrow", replace={"23068672": "1048576"})
    assert "maxMessageBytes" in await hint((await opened(Kind.OURS, "narrow", sidecar)).bus, topic, MEGABYTE)


async def test_the_limit_of_daprd_is_named(tmp_path):
    resources = Resources(tmp_path / "resources", ("in-memory/pubsub.yaml",)).write()
    with started(daprd("narrow", tmp_path, resources, options=["--max-body-size", "4Mi"])) as sidecar:
        bus = DaprBus(target=sidecar.grpc, app_id="narrow")
        assert "--max-body-size" in await hint(bus, "ticks", 5 * MEGABYTE)
        await bus.close()


@on(Target.JETSTREAM)
async def test_a_frame_that_the_broker_never_takes_is_a_gap_and_the_feed_goes_on(target, topic):
    async with running_feed(target, topic, "frame") as (peer, subscription):
        far_end = await peer.accept()
        for text in ("before", "x" * MEGABYTE, "after"):
            far_end.send_text(text)
        items = await read(subscription, 2, seconds=55)  # it is tried ten times over half a minute

    assert [item.data for item in items if isinstance(item, Frame)] == [b"before", b"after"]
    assert [(item.first_sequence, item.last_sequence) for item in items if isinstance(item, Gap)] == [(2, 2)]
