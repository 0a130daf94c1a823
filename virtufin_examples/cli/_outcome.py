"""How every command ends: its output, its errors and its exit status.

Status 0: it did what was asked; 1: it failed; 2: wrong usage or input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine, Mapping, Sequence
from typing import NoReturn, TypeVar

import typer

from virtufin_examples.errors import InvalidInputError, VirtufinError

Result = TypeVar("Result")

FAILED = 1
WRONG_USAGE = 2


def print_json(value: object) -> None:
    """Print one JSON line and flush it, so that a reader on a pipe sees it at once."""
    sys.stdout.write(json.dumps(value, separators=(", ", ": ")) + "\n")
    sys.stdout.flush()


def print_rows(rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, empty: str) -> None:
    """Print rows as aligned columns under a header, or `empty` when there are none."""
    if not rows:
        typer.echo(empty)
        return
    cells = [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[i]) for line in cells)) for i, column in enumerate(columns)]
    for line in ([column.upper() for column in columns], *cells):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def fail(error: VirtufinError, *, as_json: bool) -> NoReturn:
    """Print the error on stderr (with `as_json` as a JSON line) and exit."""
    if as_json:
        line = {"event": "error", "code": error.code, "message": error.message, "hint": error.hint}
        sys.stderr.write(json.dumps(line) + "\n")
    else:
        typer.echo(f"error: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  fix: {error.hint}", err=True)
    raise typer.Exit(WRONG_USAGE if isinstance(error, InvalidInputError) else FAILED)


def run(work: Coroutine[object, object, Result], *, as_json: bool = False) -> Result:
    """Run a command's coroutine; Ctrl-C ends it quietly with the usual 130, a closed pipe with 0."""
    try:
        return asyncio.run(work)
    except VirtufinError as error:
        fail(error, as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
