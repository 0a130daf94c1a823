"""Platform settings for a command: environment and `.env`, then the flags that were given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from virtufin_examples.errors import InvalidInputError

if TYPE_CHECKING:  # pydantic is slow to import and help does not need it
    from virtufin_examples.settings import PlatformSettings

FROM_STDIN = "-"
"""In place of an address: it comes as the first line of stdin."""


def sidecar_address(given: str | None) -> str | None:
    """Return the address as given, or wait for the one that our parent writes when it knows it."""
    if given != FROM_STDIN:
        return given
    line = bytearray()
    while (byte := os.read(0, 1)) not in (
        b"\n",
        b"",
    ):  # unbuffered: whoever waits for the end of stdin reads on
        line += byte
    if not line:
        raise typer.Exit(1)  # our parent has given up and has said why
    return line.decode()


def load_settings(**flags: object) -> PlatformSettings:
    """Return the settings with `flags` (None: not given) on top; a bad value names its variable."""
    from pydantic import ValidationError

    from virtufin_examples.settings import PlatformSettings

    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return PlatformSettings(**given)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        variable = name if name.isupper() else f"VIRTUFIN_{name.upper()}"
        raise InvalidInputError(
            f"{variable} is {first['input']!r}: {first['msg']}", hint=f"correct {variable} or its flag"
        ) from None


def secret_environment() -> dict[str, str]:
    """`.env` and the environment together (the environment wins), where the embedded secret store looks."""
    from dotenv import dotenv_values

    values = dotenv_values(".env") if Path(".env").is_file() else {}
    return {**{name: value for name, value in values.items() if value is not None}, **os.environ}
