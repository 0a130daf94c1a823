"""The command tree. Bodies import what they need when they run, so that help is instant."""

from __future__ import annotations

import typer

from virtufin_examples.cli import _services, _simulate, _up

app = typer.Typer(
    name="virtufin",
    help="Turns exchange and broker WebSockets into Dapr topics, and announces every gap.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_up.register(app)
_services.register(app)
_simulate.register(app)


def main() -> None:
    """Entry point."""
    app()
