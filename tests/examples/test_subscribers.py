"""The examples run as they stand beside a platform with a feed."""

from __future__ import annotations

import json

import pytest

from tests.programs import ROOT, first_lines


@pytest.mark.parametrize("name", ["subscriber.py", "subscriber_blocking.py"])
def test_a_subscriber_prints_the_frames_in_order(feed, name, tmp_path):
    _, environment = feed
    lines = first_lines(ROOT / "examples" / name, 20, folder=tmp_path, environment=environment)
    numbers, texts = zip(*(line.split(" ", 1) for line in lines), strict=True)
    first = int(numbers[0])
    assert [int(number) for number in numbers] == list(range(first, first + 20))
    assert all(message["T"] == "o" for text in texts for message in json.loads(text))


@pytest.mark.parametrize("name", ["subscriber.py", "subscriber_blocking.py"])
def test_a_subscriber_is_about_ten_lines(name):
    source = (ROOT / "examples" / name).read_text().splitlines()[1:]
    assert len([line for line in source if line and not line.startswith(("import", "from"))]) <= 10
