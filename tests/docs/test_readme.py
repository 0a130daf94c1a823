"""The README's subscriber runs as it stands."""

from __future__ import annotations

from tests.docs.fences import fences
from tests.programs import ROOT, first_lines


def test_the_subscriber_prints_the_frames_in_order(feed, tmp_path):
    (example,) = [fence for fence in fences(ROOT / "README.md") if fence.language == "python"]
    script = tmp_path / "example.py"
    script.write_text(example.text)
    _, environment = feed
    lines = first_lines(script, 20, folder=tmp_path, environment=environment)
    numbers = [int(line.split(" ", 1)[0]) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 20))
