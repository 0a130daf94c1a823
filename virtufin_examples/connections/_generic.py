"""The connector of a venue that nobody wrote one for: no opinion, unless options say what to expect."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import Acknowledged, Connector, Effect, Option, Outgoing, Session, Verdict

_SECOND_NS = 1_000_000_000
_DAY_SECONDS = 86_400.0
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
        self._ping = options.get("ping", "").encode()
        self._ping_ns = int(_seconds(options.get("heartbeat_seconds", "20")) * _SECOND_NS)
        self._pinged_ns = 0
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

    def live(self, now_ns: int) -> tuple[Effect, ...]:
        """Begin to count the time to the first ping."""
        self._pinged_ns = now_ns
        return ()

    def tick(self, now_ns: int) -> tuple[Effect, ...]:
        """Return the ping when it is due."""
        if not self._ping or now_ns - self._pinged_ns < self._ping_ns:
            return ()
        self._pinged_ns = now_ns
        return (Outgoing(self._ping),)

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


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1.0 <= seconds <= _DAY_SECONDS:
        raise InvalidInputError(f'options: heartbeat_seconds is "{text}"', hint="give 1 to 86400")
    return seconds
