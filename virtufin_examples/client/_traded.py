"""Whether symbols exist, where a venue tells over HTTP: Binance confirms any name and then sends nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from virtufin_examples.client._http import Answer, fetch
from virtufin_examples.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from virtufin_examples.client._venue_port import Venue


NOT_CHECKED = "not checked: "
"""What the words begin with where the venue could not be asked."""

Fetch = Callable[[str], Awaitable[Answer]]


async def check_traded(venue: Venue, url: str, symbols: Sequence[str], *, get: Fetch = fetch) -> str:
    """Raise `InvalidInputError` that names the first symbol that the venue does not have.

    Return what came of it in words. A venue that cannot be asked is no reason to refuse: the words say so.
    """
    if not venue.symbols_url(url, symbols):
        return f"{venue.title} says by itself what it does not know"
    try:
        unknown = await _first_unknown(venue, url, list(symbols), get)
    except UnavailableError as error:
        return f"{NOT_CHECKED}{error.message}"
    if unknown:
        raise InvalidInputError(
            f'symbols: "{unknown}" is not traded at {venue.title}', hint="correct it or take it out"
        )
    return f"{len(symbols)} are traded at {venue.title}"


async def why_unchecked(venue: Venue, url: str, symbols: Sequence[str]) -> str:
    """Raise as `check_traded` does; return why the venue could not be asked, "" where it could."""
    said = await check_traded(venue, url, symbols) if symbols else ""
    return said.removeprefix(NOT_CHECKED) if said.startswith(NOT_CHECKED) else ""


async def _first_unknown(venue: Venue, url: str, symbols: list[str], get: Fetch) -> str:
    """Ask for all; an error answer does not say which it is for, so that halves are asked for."""
    answer = await get(venue.symbols_url(url, symbols))
    if answer.status == HTTPStatus.OK:
        known = venue.read_symbols(answer.body)
        return next((symbol for symbol in symbols if symbol not in known), "")
    if answer.status != HTTPStatus.BAD_REQUEST:
        raise UnavailableError(f"{venue.title} answered with HTTP status {answer.status}")
    if len(symbols) == 1:
        return symbols[0]
    middle = len(symbols) // 2
    first = await _first_unknown(venue, url, symbols[:middle], get)
    return first or await _first_unknown(venue, url, symbols[middle:], get)
