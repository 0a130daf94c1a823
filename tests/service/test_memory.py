"""A service's process keeps the memory of its batches."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives freed memory back so eagerly")
def test_batches_that_come_and_go_are_not_taken_from_the_system_each_time():
    program = """
import resource
import sys
from virtufin_examples.service import keep_memory

def pages_taken_by_batches():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        batches = [bytes([1]) * (1 << 20) for _ in range(6)]
        del batches
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

pages_taken_by_batches()
given_back = pages_taken_by_batches()
assert keep_memory()
pages_taken_by_batches()
kept = pages_taken_by_batches()
assert given_back > 10_000 and kept < 100, (given_back, kept)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
