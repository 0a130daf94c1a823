"""Every command explains itself, and quickly."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
import typer

from tests.cli.conftest import call
from virtufin_examples.cli._app import app


def leaves(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from leaves(child, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(app)))
GROUPS = sorted({path[0] for path in COMMANDS if len(path) > 1})


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_has_help_with_an_example_of_itself(path: tuple[str, ...]) -> None:
    done = call(*path, "--help")
    assert done.status == 0
    epilog = COMMANDS[path].epilog or ""
    assert epilog.startswith("Example: ")
    assert f"virtufin {' '.join(path)}" in epilog
    assert COMMANDS[path].help


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_example_has_only_options_that_there_are(path: tuple[str, ...]) -> None:
    words = shlex.split((COMMANDS[path].epilog or "").partition("virtufin ")[2])
    known = {name for option in COMMANDS[path].params for name in (*option.opts, *option.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_help_with_an_example_of_one_of_its_commands(group: str) -> None:
    example = call(group, "--help").out.partition("Example: virtufin ")[2].split()
    assert tuple(example[:2]) in COMMANDS


def test_without_a_command_the_commands_are_listed() -> None:
    done = call()
    text = done.out + done.err
    assert all(path[0] in text for path in COMMANDS)


def test_help_loads_no_service_and_no_protocol() -> None:
    program = """
import sys
from virtufin_examples.cli._app import app
try:
    app(["record", "--help"])
except SystemExit:
    pass
heavy = {"grpc", "pydantic_settings", "google.protobuf", "picows", "clr", "starlette", "structlog"}
sys.exit(", ".join(sorted(heavy & set(sys.modules))) or None)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
