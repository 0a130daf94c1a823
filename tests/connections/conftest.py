"""A connection's world, for every test of this package that asks for one."""

from __future__ import annotations

import pytest

from tests.connections.world import new_world


@pytest.fixture
async def world():
    async with new_world() as world:
        yield world
