"""A feed onto the topic that the documents name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.programs import Program, running_feed


@pytest.fixture(scope="module")
def feed(tmp_path_factory) -> Iterator[tuple[Callable[..., Program], dict[str, str]]]:
    """What starts programs, and the environment that leads them to the platform."""
    with running_feed(tmp_path_factory.mktemp("feed"), topic="alpaca-ticks") as running:
        yield running
