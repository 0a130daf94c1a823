"""Trades and bars that a stream missed, from Alpaca's REST API: what to ask for, and what of it is new."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from urllib.parse import urlencode, urlsplit

import msgspec

from virtufin_examples.errors import InvalidInputError
from virtufin_examples.venues import (
    Backfilled,
    Disposition,
    HttpRequest,
    HttpResponse,
    Refused,
    Verdict,
    retry_after_seconds,
)
from virtufin_examples.venues.alpaca._endpoints import Endpoint, Kind
from virtufin_examples.venues.alpaca._time import NANOSECONDS, Timestamp

REST_URL = "https://data.alpaca.markets"
SANDBOX_REST_URL = "https://data.sandbox.alpaca.markets"

_REST_URLS = MappingProxyType(
    {
        "stream.data.alpaca.markets": REST_URL,
        "stream.data.sandbox.alpaca.markets": SANDBOX_REST_URL,
    }
)

SETTLE_SECONDS = 5
"""How long after a gap the request is made: what the stream still brings late must have been seen by then."""

MARGIN_SECONDS = 2
"""How long before a gap the window begins: the last trades before a cut may have been under way."""

PAGE_ITEMS = 10_000  # the most that Alpaca gives
MAX_PAGES = 50
_FRAME_ITEMS = 100  # as many as the stream puts into one message
_SYMBOLS_A_REQUEST = 100
_BAR_SECONDS = 60
_ANSWER_SECONDS = 60
_ATTEMPTS = 3
_RETRY_SECONDS = 10.0
_KEYS_KEPT = 200_000
_MAX_KEYS = 1_000_000

_HTTP_OK = 200
_HTTP_TOO_MANY = 429
_HTTP_SERVER_ERRORS = 500
_TYPES = {"trades": "t", "bars": "b"}
BACKFILLED_CHANNELS = tuple(_TYPES)
_NAME = "backfill"

Key = tuple[str, str, int | str, str, str]
"""Type, symbol, trade id, exchange, time: for a bar id and exchange are empty."""


class _Item(msgspec.Struct, frozen=True, gc=False):
    """What tells a trade or bar from others, in the stream and over REST alike."""

    t: str = ""
    T: str = ""
    S: str = ""
    i: int | str = ""
    x: str = ""

    def key(self, kind: str, symbol: str) -> Key:
        time = self.t.rstrip("Z").rstrip("0").rstrip(".") if "." in self.t else self.t.rstrip("Z")
        return (kind, symbol, self.i, self.x, time) if kind == "t" else (kind, symbol, "", "", time)


class _Page(msgspec.Struct, frozen=True):
    trades: dict[str, list[msgspec.Raw] | None] | None = None
    bars: dict[str, list[msgspec.Raw] | None] | None = None
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    """One request to be made: a channel, its symbols, a window of venue times, a page of the answer."""

    channel: str
    symbols: tuple[str, ...]
    from_ns: int
    to_ns: int
    due_ns: int
    page: int = 1
    token: str = ""
    attempt: int = 1


_observed = msgspec.json.Decoder(list[_Item])
_item = msgspec.json.Decoder(_Item)
_page = msgspec.json.Decoder(_Page)


def can_backfill(endpoint: Endpoint) -> bool:
    """Whether REST has the history of an endpoint's stream."""
    return endpoint.kind in {Kind.STOCKS, Kind.CRYPTO} and not endpoint.symbols


class Backfill:
    """What one connection has to fetch. Pure: times are arguments, requests are made by others.

    One request is in flight at a time. Each item is published once: what the stream brought is remembered,
    200,000 items back (while something is to be fetched, a million).
    """

    def __init__(self, endpoint: Endpoint, rest_url: str) -> None:
        self._endpoint = endpoint
        self._rest_url = rest_url.rstrip("/")
        self._jobs: deque[_Job] = deque()
        self._asked: _Job | None = None
        self._asked_ns = 0
        self._seen: dict[Key, None] = {}  # in the order of arrival
        self._credentials: tuple[str, str] | None = None

    @property
    def state(self) -> str:
        """`on`, and how many requests are still to be made."""
        requests = len(self._jobs) + (self._asked is not None)
        return f"on, {requests} requests to make" if requests else "on"

    def authenticated_by(self, key: object, secret: object) -> None:
        """Use the same references to a secret as the stream; anything else is not kept."""
        if isinstance(key, str) and isinstance(secret, str) and "${secret:" in key and "${secret:" in secret:
            self._credentials = (key, secret)

    def observe(self, payload: bytes) -> None:
        """Remember the trades and bars of a frame of the stream."""
        if not payload.startswith(b"[{"):
            return
        try:
            items = _observed.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # no data
        self._remember(each.key(each.T, each.S) for each in items if each.T in {"t", "b"})

    def missed(self, from_ns: int, to_ns: int, entries: Iterable[tuple[str, str]]) -> None:
        """Plan the requests for a gap in these (channel, symbol) pairs."""
        by_channel: dict[str, list[str]] = {}
        for channel, symbol in sorted(entries):
            if channel in _TYPES:
                by_channel.setdefault(channel, []).append(symbol)
        for channel, symbols in by_channel.items():
            # a bar is sent when its minute is over
            shift_ns = _BAR_SECONDS * NANOSECONDS if channel == "bars" else 0
            for start in range(0, len(symbols), _SYMBOLS_A_REQUEST):
                self._jobs.append(
                    _Job(
                        channel,
                        tuple(symbols[start : start + _SYMBOLS_A_REQUEST]),
                        from_ns - MARGIN_SECONDS * NANOSECONDS - shift_ns,
                        to_ns - shift_ns,
                        to_ns + SETTLE_SECONDS * NANOSECONDS,
                    )
                )

    def takes_over(self, old: Backfill) -> None:
        """Go on where another one stops, which has nothing to fetch then."""
        old.reopened()
        self._jobs.extendleft(reversed(old._jobs))
        old._jobs.clear()
        self._credentials = self._credentials or old._credentials
        self._seen = {**old._seen, **self._seen}
        self._remember(())

    def reopened(self) -> None:
        """A new socket: the answer to what was in flight does not come any more."""
        if self._asked is not None:
            self._jobs.appendleft(self._asked)
            self._asked = None

    def due(self, now_ns: int) -> HttpRequest | Refused | None:
        """Return the request that is to be made now, or why none can be."""
        if self._asked is not None:
            if now_ns - self._asked_ns < _ANSWER_SECONDS * NANOSECONDS:
                return None
            job, self._asked = self._asked, None
            return self._failed(job, "no answer", now_ns, _RETRY_SECONDS)
        if not self._jobs or self._jobs[0].due_ns > now_ns:
            return None
        return self._begun(self._jobs.popleft(), now_ns)

    def _begun(self, job: _Job, now_ns: int) -> HttpRequest | Refused:
        if "*" in job.symbols:
            return self._given_up(job, "all symbols cannot be asked for", "subscribe to symbols by name")
        if job.page > MAX_PAGES:
            return self._given_up(job, f"more than {MAX_PAGES} pages", "fetch the rest yourself")
        if self._credentials is None:
            return self._given_up(job, "no keys to ask with", "authenticate by ${secret:...} references")
        self._asked, self._asked_ns = job, now_ns
        key, secret = self._credentials
        headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
        return HttpRequest(_NAME, self._url(job), headers=headers)

    def answers(self, request: HttpRequest) -> bool:
        """Whether a request was this one's."""
        return request.name == _NAME

    def answered(self, response: HttpResponse, now_ns: int) -> Verdict | None:
        """Read an answer; return what is new of it."""
        job, self._asked = self._asked, None
        if job is None:
            return None
        if response.status != _HTTP_OK:
            again = response.status == _HTTP_TOO_MANY or response.status >= _HTTP_SERVER_ERRORS
            wait = retry_after_seconds(response.headers) or _RETRY_SECONDS
            return self._failed(job, f"HTTP {response.status}", now_ns, wait if again else None)
        if len(self._seen) >= _MAX_KEYS:
            return self._given_up(job, "too much came meanwhile to tell what is new", "fetch it yourself")
        try:
            page = _page.decode(response.body)
            payloads = self._new(job, page)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._failed(job, f"an answer that cannot be read ({error})", now_ns, None)
        if page.next_page_token:
            # beyond the last page `due` gives up and says so
            self._jobs.appendleft(replace(job, page=job.page + 1, token=page.next_page_token, attempt=1))
        return Backfilled(tuple(payloads)) if payloads else None

    # --- inside ---

    def _url(self, job: _Job) -> str:
        query = {
            "symbols": ",".join(job.symbols),
            "start": Timestamp(job.from_ns).rfc3339(),
            "end": Timestamp(job.to_ns).rfc3339(),
            "limit": str(PAGE_ITEMS),
            "sort": "asc",
        }
        if job.channel == "bars":
            query["timeframe"] = "1Min"
        if self._endpoint.kind is Kind.STOCKS:
            query["feed"] = self._endpoint.path.rpartition("/")[2]
        if job.token:
            query["page_token"] = job.token
        base = "v2/stocks" if self._endpoint.kind is Kind.STOCKS else self._endpoint.path
        return f"{self._rest_url}/{base}/{job.channel}?{urlencode(query)}"

    def _new(self, job: _Job, page: _Page) -> list[bytes]:
        """The items that the stream has not had, spelt as it spells them, some to a message."""
        kind = _TYPES[job.channel]
        found: Mapping[str, list[msgspec.Raw] | None] = getattr(page, job.channel) or {}
        fresh: list[bytes] = []
        for symbol, raws in found.items():
            head = b'{"T":"%b","S":%b,' % (kind.encode(), msgspec.json.encode(symbol))
            for raw in raws or ():
                body = bytes(raw)
                key = _item.decode(body).key(kind, symbol)
                if key not in self._seen:
                    self._remember((key,))
                    fresh.append(head + body.lstrip()[1:].lstrip())
        return [
            b"[" + b",".join(fresh[start : start + _FRAME_ITEMS]) + b"]"
            for start in range(0, len(fresh), _FRAME_ITEMS)
        ]

    def _remember(self, keys: Iterable[Key]) -> None:
        seen = self._seen
        seen.update(dict.fromkeys(keys))
        limit = _MAX_KEYS if self._jobs or self._asked else _KEYS_KEPT
        while len(seen) > limit:
            del seen[next(iter(seen))]

    def _failed(self, job: _Job, why: str, now_ns: int, wait_seconds: float | None) -> Refused:
        if wait_seconds is None or job.attempt == _ATTEMPTS:
            return self._given_up(job, why, "")
        due_ns = now_ns + int(wait_seconds * NANOSECONDS)
        self._jobs.appendleft(replace(job, attempt=job.attempt + 1, due_ns=due_ns))
        return Refused(0, f"{self._what(job)}: {why}; tried again in {wait_seconds:.0f} s", Disposition.NOTE)

    def _given_up(self, job: _Job, why: str, hint: str) -> Refused:
        reason = f"{self._what(job)} was not fetched: {why}"
        return Refused(0, f"{reason}; {hint}" if hint else reason, Disposition.NOTE)

    @staticmethod
    def _what(job: _Job) -> str:
        window = f"{Timestamp(job.from_ns).rfc3339()} to {Timestamp(job.to_ns).rfc3339()}"
        return f"backfill of {job.channel} of {', '.join(job.symbols[:10])} from {window}"


def backfill_of(endpoint: Endpoint, url: str, options: Mapping[str, str]) -> Backfill | None:
    """Return the backfill that the options ask for; `InvalidInputError` where it cannot be had."""
    wanted = options.get("backfill", "off")
    if wanted not in {"on", "off"}:
        raise InvalidInputError(f'options: backfill is "{wanted}"', hint="on or off")
    if wanted == "off":
        return None
    if not can_backfill(endpoint):
        raise InvalidInputError(
            f'options: backfill is on, but there is no history of "/{endpoint.path}"',
            hint="stocks and crypto have one",
        )
    rest_url = options.get("rest_url", _rest_url_of(url))
    parts = urlsplit(rest_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise InvalidInputError(f'options: rest_url is "{rest_url}"', hint=f"an address such as {REST_URL}")
    return Backfill(endpoint, rest_url)


def _rest_url_of(url: str) -> str:
    """Return where the history of a stream is: what stands in for Alpaca serves both at one address."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _REST_URLS or not host:
        return _REST_URLS.get(host, REST_URL)
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc.rpartition('@')[2]}"
