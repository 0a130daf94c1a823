"""One platform with a running feed for all tests of the commands."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.programs import Program, clean_environment, running_feed
from virtufin_examples.cli._app import app

TOPIC = "alpaca-ticks"


@dataclass
class Outcome:
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict]:
        """Its output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict:
        """Its error as JSON."""
        return json.loads(self.err.splitlines()[-1])


def call(*arguments: str | Path, stdin: str | None = None, **environment: str) -> Outcome:
    """Run a command in this process."""
    names = {name: None for name in os.environ if name not in clean_environment()}
    result = CliRunner().invoke(
        app, [str(one) for one in arguments], input=stdin, env={**names, **environment}
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@dataclass
class Platform:
    """A platform that runs, and what starts programs beside it."""

    gateway: str
    folder: Path
    run: Callable[..., Program]

    def call(self, *arguments: str | Path, stdin: str | None = None) -> Outcome:
        """Run a command against it."""
        return call(*arguments, stdin=stdin, VIRTUFIN_API_URL=self.gateway)

    def start(self, *arguments: str | Path) -> Program:
        """Start a command against it as a program."""
        return self.run("-m", "virtufin_examples.cli", *arguments, VIRTUFIN_API_URL=self.gateway)


@pytest.fixture(scope="package")
def platform(tmp_path_factory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("cli")
    with running_feed(folder, topic=TOPIC) as (run, environment):
        yield Platform(environment["VIRTUFIN_API_URL"], folder, run)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch) -> None:
    """No `.env` of the developer's reaches a test."""
    monkeypatch.chdir(tmp_path)
