"""The `virtufin` command: each subcommand is a thin composition of the parts."""

from virtufin_examples.cli._app import main

__all__ = ["main"]
