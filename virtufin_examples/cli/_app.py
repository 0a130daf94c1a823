"""The command tree. Bodies import what they need when they run, so that help is instant."""

from __future__ import annotations

import typer

from virtufin_examples.cli import (
    _connections,
    _connectors,
    _feed,
    _record,
    _services,
    _simulate,
    _status,
    _subscribe,
    _up,
    _workers,
)

app = typer.Typer(
    name="virtufin",
    help="Turns exchange and broker WebSockets into Dapr topics, and announces every gap.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in (
    _up,
    _feed,
    _status,
    _subscribe,
    _record,
    _connections,
    _connectors,
    _workers,
    _simulate,
    _services,
):
    _module.register(app)


def main() -> None:
    """Entry point."""
    app()
