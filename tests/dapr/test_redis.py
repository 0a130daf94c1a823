"""What only Redis does."""

from __future__ import annotations

import pytest

from tests.dapr.targets import Target

pytestmark = pytest.mark.parametrize("target", [Target.REDIS], indirect=True, scope="session")


async def test_redis_hands_on_what_was_left_after_the_processing_timeout(opened, further, kind, topic):
    sidecar = further("impatient", replace={'"40000"': '"1000"', '"5000"': '"500"'})
    client = await opened(kind, "impatient", sidecar)
    reader = await client.subscribe(topic)
    await client.publish(topic, b"left behind")
    await reader.next()
    await reader.close()

    returning = await client.subscribe(topic)

    assert (await returning.take()).data == b"left behind"
