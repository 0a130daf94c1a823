"""What a user asks of a feed: a settings file, read and checked before anything starts."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from virtufin_examples.client._layout import Sizes, plan_change
from virtufin_examples.client._venue import Venue, venue_of
from virtufin_examples.errors import InvalidInputError, ResourceLimitError
from virtufin_examples.frames import Encoding, Markers, Overflow

RUN_ID = "{run_id}"
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,248}")
_REQUIRED = ("url", "channel", "symbols", "topic")
_EXAMPLES = {
    "url": '"wss://stream.data.alpaca.markets/v1beta3/crypto/us"',
    "channel": '"orderbooks"',
    "symbols": '["BTC/USD"]',
    "topic": '"alpaca-ticks"',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """One feed: `channel` of `symbols` at `url`, published on `topic`; the rest is optional.

    `encoding`, `overflow` and `markers` are those of the `publish` command (None: the platform's default,
    which for markers depends on the encoding). `tags` mark worker and connection. `connector` names the
    venue's plugin where the URL's host does not; `options` go to it. `symbols_a_connection` and
    `connections_a_worker` spread the symbols (0: all over one). `{run_id}` in the topic stands for the run's.
    """

    url: str
    channel: str
    symbols: tuple[str, ...]
    topic: str
    auto_reconnect: bool = True
    encoding: Encoding = Encoding.FRAME
    overflow: Overflow | None = None
    markers: Markers | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    connector: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    symbols_a_connection: int = 0
    connections_a_worker: int = 0

    @classmethod
    def load(cls, path: str | Path) -> FeedSettings:
        """Read a settings file; `InvalidInputError` names file, field, value seen and the fix."""
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InvalidInputError(
                f"settings file {str(path)!r} does not exist", hint=_other_files(file)
            ) from None
        except UnicodeDecodeError as error:
            raise InvalidInputError(
                f"{path}: not UTF-8 at byte {error.start}", hint="save it as UTF-8"
            ) from None
        except OSError as error:
            raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None
        try:
            data = json.loads(text, object_pairs_hook=_without_repeats)
        except _RepeatedKeyError as error:
            raise InvalidInputError(
                f'{path}: key "{error}" is there twice', hint="keep the one that is meant"
            ) from None
        except json.JSONDecodeError as error:
            raise InvalidInputError(
                f"{path}: not JSON, line {error.lineno} column {error.colno}: {error.msg}",
                hint="correct the file there",
            ) from None
        return cls.from_json(data, where=str(path))

    @classmethod
    def from_json(cls, data: object, *, where: str = "settings") -> FeedSettings:
        """Check decoded JSON; `where` starts the error's message."""
        return _Checker(where).settings(data)

    @property
    def venue(self) -> Venue:
        """Whose protocol the feed speaks."""
        return venue_of(self.url, self.connector)

    @property
    def sizes(self) -> Sizes:
        """How symbols are spread."""
        return Sizes(self.symbols_a_connection, self.connections_a_worker)

    def for_run(self, run_id: str) -> FeedSettings:
        """Return them with the run's id in the topic."""
        return replace(self, topic=self.topic.replace(RUN_ID, run_id))

    def check_parts(self, connections: int) -> None:
        """Raise `ResourceLimitError` for more connections, or symbols on one, than the venue allows."""
        limits = self.venue.limits(self.url, self.options)
        if limits.sockets is not None and connections > limits.sockets:
            raise ResourceLimitError(
                f"symbols: {connections} connections are needed; {self.venue.title} allows {limits.sockets}",
                hint="name fewer symbols, or a larger symbols_a_connection (without it all go over one)",
            )
        most = min(self.symbols_a_connection or len(self.symbols), len(self.symbols))
        if limits.symbols is not None and most > limits.symbols:
            raise ResourceLimitError(
                f"symbols: {most} on a connection; {self.venue.title} allows {limits.symbols}",
                hint=f'add "symbols_a_connection": {limits.symbols} or less',
            )


_NAMES = tuple(item.name for item in fields(FeedSettings))


class _RepeatedKeyError(Exception):
    """An object has a key twice; its text is the key."""


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise _RepeatedKeyError(name)
        found[name] = value
    return found


def _other_files(file: Path) -> str:
    others = sorted(file.parent.glob("*.json")) if file.parent.is_dir() else []
    near = difflib.get_close_matches(file.name, [other.name for other in others], n=1)
    if near:
        return f"did you mean {str(file.parent / near[0])!r}?"
    return "give the path of a settings file, such as settings/settings.alpaca.json"


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


class _Checker:
    """Checks one document; every complaint names the file, the field, the value seen and the fix."""

    def __init__(self, where: str) -> None:
        self._where = where

    def settings(self, data: object) -> FeedSettings:
        if not isinstance(data, dict):
            raise InvalidInputError(
                f"{self._where}: an object is wanted, not {_kind(data)}",
                hint="write {" + ", ".join(f'"{name}": {_EXAMPLES[name]}' for name in _REQUIRED) + "}",
            )
        self._keys(data)
        connector = self._text(data, "connector", default="")
        settings = FeedSettings(
            url=self._url(data),
            channel=self._text(data, "channel"),
            symbols=self._symbols(data),
            topic=self._topic(data),
            auto_reconnect=self._flag(data, "auto_reconnect", default=True),
            encoding=self._choice(data, "encoding", Encoding) or Encoding.FRAME,
            overflow=self._choice(data, "overflow", Overflow),
            markers=self._choice(data, "markers", Markers),
            tags=self._strings(data, "tags"),
            connector=connector,
            options=self._strings(data, "options"),
            symbols_a_connection=self._count(data, "symbols_a_connection"),
            connections_a_worker=self._count(data, "connections_a_worker"),
        )
        self._venue(settings)
        return settings

    def _refuse(self, name: str, value: object, why: str, hint: str) -> NoReturn:
        raise InvalidInputError(f"{self._where}: {name} is {_quoted(value)}: {why}", hint=hint)

    def _keys(self, data: Mapping[str, Any]) -> None:
        for name in data:
            if name in _NAMES:
                continue
            near = difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.5)
            hint = f'did you mean "{near[0]}"?' if near else f"known keys are {', '.join(_NAMES)}"
            raise InvalidInputError(f'{self._where}: unknown key "{name}"', hint=hint)
        for name in _REQUIRED:
            if name not in data:
                raise InvalidInputError(
                    f'{self._where}: key "{name}" is missing',
                    hint=f'add it, for example "{name}": {_EXAMPLES[name]}',
                )

    def _text(self, data: Mapping[str, Any], name: str, default: str | None = None) -> str:
        if default is not None and name not in data:
            return default
        value = data[name]
        if not isinstance(value, str):
            self._refuse(name, value, f"a string is wanted, not {_kind(value)}", 'write it in quotes, "..."')
        if not value or value != value.strip():
            self._refuse(name, value, "empty, or blanks around it", "write it without blanks")
        return value

    def _flag(self, data: Mapping[str, Any], name: str, *, default: bool) -> bool:
        value = data.get(name, default)
        if not isinstance(value, bool):
            self._refuse(name, value, f"true or false is wanted, not {_kind(value)}", "write true or false")
        return value

    def _count(self, data: Mapping[str, Any], name: str) -> int:
        value = data.get(name, 0)
        if name in data and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            self._refuse(
                name, value, "a whole number of at least 1 is wanted", "or leave it out: all over one"
            )
        return int(value)

    def _choice(self, data: Mapping[str, Any], name: str, kind: Any) -> Any:  # noqa: ANN401 - any of the enums
        if name not in data:
            return None
        values = [str(member) for member in kind]
        value = data[name]
        if value not in values:
            near = difflib.get_close_matches(str(value), values, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"write {', '.join(_quoted(v) for v in values)}"
            self._refuse(name, value, f"one of {', '.join(values)} is wanted", hint)
        return kind(value)

    def _strings(self, data: Mapping[str, Any], name: str) -> Mapping[str, str]:
        value = data.get(name, {})
        if not isinstance(value, dict):
            self._refuse(name, value, f"an object is wanted, not {_kind(value)}", 'write {"key": "value"}')
        for key, entry in value.items():
            if not isinstance(entry, str):
                self._refuse(
                    f"{name}.{key}", entry, f"a string is wanted, not {_kind(entry)}", "put it in quotes"
                )
        return value

    def _symbols(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        value = data["symbols"]
        if not isinstance(value, list):
            self._refuse("symbols", value, f"a list is wanted, not {_kind(value)}", 'write ["BTC/USD", ...]')
        if not value:
            self._refuse("symbols", value, "empty", 'name at least one, or "*" for all')
        for index, symbol in enumerate(value):
            name = f"symbols[{index}]"
            if not isinstance(symbol, str):
                self._refuse(name, symbol, f"a string is wanted, not {_kind(symbol)}", "put it in quotes")
            if not symbol or symbol.split() != [symbol]:
                self._refuse(name, symbol, "empty, or has blanks", "write the symbol alone")
            if symbol in value[:index]:
                self._refuse(name, symbol, f"repeats symbols[{value.index(symbol)}]", "name each symbol once")
        return tuple(value)

    def _url(self, data: Mapping[str, Any]) -> str:
        url = self._text(data, "url")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            self._refuse("url", url, str(error), f"write for example {_EXAMPLES['url']}")
        if parts.scheme not in ("ws", "wss"):
            self._refuse(
                "url", url, "a WebSocket URL is wanted", "it starts with wss:// (or ws:// without TLS)"
            )
        if not parts.hostname or port == 0:
            self._refuse("url", url, "no host, or port 0", f"write for example {_EXAMPLES['url']}")
        if parts.username or parts.password:
            raise InvalidInputError(
                f"{self._where}: url holds a user name or password",
                hint="remove it; credentials belong in the environment or .env",
            )
        if parts.fragment:
            self._refuse("url", url, "a WebSocket URL has no #fragment (RFC 6455, section 3)", "remove it")
        return url

    def _topic(self, data: Mapping[str, Any]) -> str:
        topic = self._text(data, "topic")
        if not _TOPIC.fullmatch(topic.replace(RUN_ID, "00000000")):
            self._refuse(
                "topic",
                topic,
                "not a topic's name",
                "use up to 249 letters, digits, '.', '_' and '-', the first a letter or digit; "
                f"{RUN_ID} stands for the run's id",
            )
        return topic

    def _venue(self, settings: FeedSettings) -> None:
        try:
            venue = settings.venue
            venue.check(settings.url, settings.channel, settings.options)
            plan = plan_change((), settings.symbols, (), settings.sizes)
            settings.check_parts(sum(len(opening.chunks) for opening in plan.openings))
        except (InvalidInputError, ResourceLimitError) as error:
            raise InvalidInputError(f"{self._where}: {error.message}", hint=error.hint) from None
        for index, symbol in enumerate(settings.symbols):
            try:
                venue.check_symbol(symbol)
            except InvalidInputError as error:
                self._refuse(f"symbols[{index}]", symbol, error.message, error.hint)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names[type(value)]
