"""A service takes as many sockets as the system lets it."""

from __future__ import annotations

import subprocess
import sys


def test_the_limit_of_open_files_is_raised_to_the_hard_one():
    program = """
import resource
from virtufin_examples.service import allow_many_files
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
assert allow_many_files() == hard
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
assert allow_many_files() == hard
"""
    subprocess.run([sys.executable, "-c", program], check=True)
