"""Alpaca's error codes, what they mean, and what we do about each."""

from __future__ import annotations

from dataclasses import dataclass

from virtufin_examples.venues import Disposition

STALE_SESSION_SECONDS = 90.0
"""How long Alpaca may count a session whose network went away (reported by users; not documented)."""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One code: Alpaca's text, what to do, and whether the venue closes the socket after it."""

    code: int
    message: str
    disposition: Disposition
    hint: str = ""
    wait_seconds: float = 0.0
    closes: bool = False


ERROR_CODES: dict[int, ErrorCode] = {
    entry.code: entry
    for entry in (
        ErrorCode(400, "invalid syntax", Disposition.NOTE, "check the message and the symbols' spelling"),
        ErrorCode(401, "not authenticated", Disposition.NOTE, "send the auth message first"),
        ErrorCode(
            402,
            "auth failed",
            Disposition.PERMANENT,
            "check the key and the secret, live or paper",
            closes=True,
        ),
        ErrorCode(403, "already authenticated", Disposition.NOTE),
        ErrorCode(404, "auth timeout", Disposition.RETRY, "authenticate within 10 s", closes=True),
        ErrorCode(
            405,
            "symbol limit exceeded",
            Disposition.NOTE,
            "ask for fewer symbols; the subscription is as it was",
        ),
        ErrorCode(
            406,
            "connection limit exceeded",
            Disposition.WAIT,
            "another program uses this endpoint with the same key",
            wait_seconds=STALE_SESSION_SECONDS,
            closes=True,
        ),
        ErrorCode(407, "slow client", Disposition.RETRY, "frames were read too slowly", closes=True),
        ErrorCode(408, "v2 not enabled", Disposition.PERMANENT, closes=True),
        ErrorCode(
            409,
            "insufficient subscription",
            Disposition.PERMANENT,
            "the account's plan does not include this feed",
            closes=True,
        ),
        ErrorCode(
            410, "invalid subscribe action for this feed", Disposition.NOTE, "the feed lacks this channel"
        ),
        ErrorCode(
            411,
            "insufficient scope",
            Disposition.PERMANENT,
            "the token does not cover market data",
            closes=True,
        ),
        ErrorCode(
            412,
            "option messages are only available in MsgPack format",
            Disposition.PERMANENT,
            "connect with Content-Type: application/msgpack",
            closes=True,
        ),
        ErrorCode(
            413,
            "star subscription is not allowed for option quotes",
            Disposition.NOTE,
            "name the contracts",
        ),
        ErrorCode(500, "internal error", Disposition.RETRY, closes=True),
    )
}

UNSOLICITED = frozenset({404, 407, 500})
"""Codes that Alpaca sends of its own accord: they answer nothing that was sent."""


def error_code(code: int) -> ErrorCode:
    """Return the entry of a code; one that nobody documented is retried."""
    return ERROR_CODES.get(code) or ErrorCode(code, "", Disposition.RETRY)
