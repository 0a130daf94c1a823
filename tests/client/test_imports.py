from __future__ import annotations

import subprocess
import sys

import pytest

from virtufin_examples import client

# What the bare install leaves out, and what starts a CLR.
ABSENT = [
    "picows",
    "clr_loader",
    "pythonnet",
    "httpx",
    "uvicorn",
    "starlette",
    "structlog",
]
PROGRAM = """
import sys
from virtufin_examples import client
for name in client.__all__:
    getattr(client, name)
print([name for name in {absent} if name in sys.modules])
"""


def test_the_client_needs_no_more_than_the_bare_install() -> None:
    program = PROGRAM.format(absent=ABSENT)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_listed() -> None:
    assert sorted(client.__all__) == dir(client)
    for name in client.__all__:
        assert getattr(client, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = client.nothing
