"""What a connector says about itself, for people: `virtufin connectors describe`."""

from __future__ import annotations

from dataclasses import dataclass

from virtufin_examples.venues._exchange import Disposition


@dataclass(frozen=True, slots=True)
class Claim:
    """A URL that a connector claims, as an example of its kind, and what is to be had there."""

    url: str
    carries: str


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """An error that a venue sends on the socket, and what is done about it."""

    code: str
    meaning: str
    disposition: Disposition
    wait_seconds: float = 0.0
