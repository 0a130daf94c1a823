"""The flame graph: what was sampled, added up and drawn to scale."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from benchmarks.flame import svg, tree

STACKS = [
    "main (a.py:1);BaseEventLoop._run_once (b.py:5);Handle._run (e.py:2);read (virtufin_examples/x.py:3) 6",
    "main (a.py:1);Handle._run (e.py:2);read (virtufin_examples/x.py:9);parse<T> (y.py:1) 2",
    "main (a.py:1);BaseEventLoop._run_once (b.py:9);select (s.py:1) 2",
    "Thread.run (t.py:9);wait (t.py:7) 30",
]


def test_samples_of_what_the_loop_calls_add_up_by_function_without_line_numbers():
    root = tree(STACKS)
    assert root.seen == 8
    assert {name: node.seen for name, node in root.called.items()} == {"read (virtufin_examples/x.py)": 8}
    assert root.called["read (virtufin_examples/x.py)"].called["parse<T> (y.py)"].seen == 2


def test_the_picture_is_to_scale_and_names_are_escaped():
    picture = ET.fromstring(svg(tree(STACKS), "one & all"))
    boxes = {
        group.findtext("{*}title"): float(group.find("{*}rect").get("width"))
        for group in picture.iter("{http://www.w3.org/2000/svg}g")
    }
    assert boxes["read (virtufin_examples/x.py): 100.0%"] == 984.0
    assert boxes["parse<T> (y.py): 25.0%"] == 246.0
