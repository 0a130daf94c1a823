"""What a service's process does not load."""

from __future__ import annotations

import subprocess
import sys

_LOADED = """
import sys
from virtufin_examples.cli._lean import import_structlog_without_rich
import_structlog_without_rich()
import virtufin_examples.bus.dapr, virtufin_examples.cli, virtufin_examples.websocketmanager
assert "structlog" in sys.modules
print("rich" in sys.modules)
import rich.table
"""


def test_the_websocketmanager_runs_without_rich_which_can_still_be_had():
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "False\n")
