"""The connector of a venue that nobody wrote one for: no opinion, unless options say what to expect."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import (
    Acknowledged,
    Connector,
    Heartbeat,
    Option,
    Session,
    Verdict,
    option_seconds,
)

_PATH = re.compile(r"\$((?:\.[A-Za-z_][\w-]*|\[\d+\])*)")
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]")


class GenericConnector(Connector):
    """Claims no URL of its own: it is chosen where no other connector does."""

    name = "generic"
    description = "any WebSocket: handshake replayed, answers matched and pings sent where options say so"
    own_options = (
        Option("reply", "the exact text that answers each message of the handshake"),
        Option("reply_path", "in place of it: where in a JSON answer to look, such as $.status or $[0].T"),
        Option("reply_value", "what stands there: text, or a JSON number or literal", "anything"),
        Option("ping", "a text to send as an application heartbeat"),
        Option("heartbeat_seconds", "how often", "20"),
    )
    handshake = (
        "What the worker sends, replayed on each socket; without reply or reply_path no answer is awaited."
    )

    def session(self, url: str, options: Mapping[str, str]) -> GenericSession:
        """Return a session; raises `InvalidInputError` for an option that is unknown or does not fit."""
        self.check_options(options)
        return GenericSession(url, options)


class GenericSession(Session):
    """Reads nothing and waits for nothing, unless `reply` or `reply_path` says what answers a message."""

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        super().__init__(url, options)
        self._reply = options["reply"].encode() if "reply" in options else None
        self._path = _steps(options["reply_path"]) if "reply_path" in options else None
        if self._reply is not None and self._path is not None:
            raise InvalidInputError("options: both reply and reply_path are given", hint="give one of them")
        if "reply_value" in options and self._path is None:
            raise InvalidInputError(
                "options: reply_value without reply_path", hint="say where to look for it"
            )
        self._value = options.get("reply_value")
        seconds = option_seconds(options, "heartbeat_seconds", 20.0, least=1.0)
        if options.get("ping"):
            self.heartbeat = Heartbeat(options["ping"].encode(), seconds)
        self._outstanding = 0
        self.reads_answers = self._reply is not None or self._path is not None

    def opened(self) -> None:
        """Forget what was asked on the old socket."""
        self._outstanding = 0

    def sent(self, payload: bytes, *, binary: bool, lasting: bool = True) -> None:  # noqa: ARG002 - the port's
        """Expect an answer to what is part of the handshake."""
        if self.reads_answers and lasting:
            self._outstanding += 1

    def expects(self) -> int:
        """Return how many answers are outstanding."""
        return self._outstanding

    def received(self, payload: bytes, *, binary: bool) -> Verdict | None:  # noqa: ARG002 - the port's
        """Match a frame against the answer that was described."""
        if self._outstanding and self._matches(payload):
            self._outstanding -= 1
            return Acknowledged()
        return None

    def _matches(self, payload: bytes) -> bool:
        if self._path is None:
            return payload == self._reply
        try:
            found = json.loads(payload)
            for step in self._path:
                found = found[step]
        except (ValueError, LookupError, TypeError, RecursionError):
            return False
        if self._value is None:
            return True
        return (found if isinstance(found, str) else json.dumps(found)) == self._value


def _steps(path: str) -> tuple[str | int, ...]:
    match = _PATH.fullmatch(path)
    if match is None:
        raise InvalidInputError(
            f'options: reply_path is "{path}"', hint="write $ and steps, such as $.status or $[0].msg"
        )
    return tuple(name or int(index) for name, index in _STEP.findall(match[1]))
