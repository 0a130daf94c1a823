"""One endpoint's market with its clients: what each is sent, without I/O."""

from __future__ import annotations

from collections.abc import Iterable

from virtufin_examples.simulators._history import History
from virtufin_examples.simulators._market import Emitted, Market
from virtufin_examples.venues.alpaca import (
    CHANNEL_OF_TYPE,
    TRADE_UPDATES,
    Answer,
    Endpoint,
    News,
    Orderbook,
    TradeUpdateMessage,
    WireEncoding,
    encode,
)
from virtufin_examples.venues.alpaca.server import ALL, AnyServer, Entry

# How often a channel comes by, against the others that are subscribed to.
_WEIGHTS: dict[str, int] = {"quotes": 4, "orderbooks": 4, "trades": 2}
_FIRST_MESSAGES = 200  # at most, sent at once after a subscribe


class Client:
    """One client of an endpoint: its session and the books that it holds."""

    def __init__(self, server: AnyServer) -> None:
        self.server = server
        self.books: set[str] = set()
        self.sent_messages = 0


class _Encoded:
    """A message that is encoded once for each encoding."""

    def __init__(self, message: Emitted) -> None:
        self.message = message
        self.channel, self.symbols = _routing(message)
        self._bytes: dict[WireEncoding, bytes] = {}

    def bytes_for(self, encoding: WireEncoding) -> bytes:
        encoded = self._bytes.get(encoding)
        if encoded is None:
            encoded = self._bytes[encoding] = encode(self.message, encoding)
        return encoded


class Exchange:
    """Routes the messages of one endpoint's market to the clients that want them."""

    def __init__(self, endpoint: Endpoint, seed: int) -> None:
        self.market = Market(endpoint, seed)
        self.history = History()
        self._clients: list[Client] = []
        self._rotation: list[Entry] = []
        self._next = 0

    @property
    def active(self) -> bool:
        """Whether anybody is subscribed to anything."""
        return bool(self._rotation)

    def join(self, client: Client) -> None:
        """Add a client."""
        self._clients.append(client)

    def leave(self, client: Client) -> None:
        """Remove a client; one that has left already may leave again."""
        if client in self._clients:
            self._clients.remove(client)
            self.resubscribed()

    def resubscribed(self) -> None:
        """Some client's subscription changed: work out anew what there is to send."""
        for client in self._clients:
            if client.books:
                client.books = {name for name in client.books if client.server.wants("orderbooks", (name,))}
        entries = {entry for client in self._clients for entry in client.server.entries()}
        pairs = sorted(self._expand(entries))
        rounds = max(_WEIGHTS.values())
        self._rotation = [pair for turn in range(rounds) for pair in pairs if turn < _WEIGHTS.get(pair[0], 1)]
        self._next = 0

    def advance(self, count: int, now_ns: int) -> list[tuple[Client, list[Answer]]]:
        """Produce `count` messages, turn by turn over all subscriptions."""
        messages: list[Emitted] = []
        for _ in range(count if self._rotation else 0):
            channel, symbol = self._rotation[self._next % len(self._rotation)]
            self._next += 1
            messages.extend(self.market.emit(channel, symbol, now_ns))
        self.history.record(messages)
        return self._deliver(messages, now_ns)

    def first(
        self, client: Client, added: Iterable[Entry], now_ns: int, *, generate: bool
    ) -> list[tuple[Client, list[Answer]]]:
        """What a new subscription brings at once: whole books to this client, one message of the rest.

        Without `generate` (the market pauses) only books are sent.
        """
        pairs = sorted(self._expand(added))[:_FIRST_MESSAGES]
        snapshots: list[bytes] = []
        messages: list[Emitted] = []
        for channel, symbol in pairs:
            if channel == "orderbooks":
                client.books.add(symbol)
                snapshots.append(encode(self.market.snapshot(symbol, now_ns), client.server.encoding))
            elif generate:
                messages.extend(self.market.emit(channel, symbol, now_ns))
        self.history.record(messages)
        client.sent_messages += len(snapshots)
        return [(client, client.server.data(snapshots)), *self._deliver(messages, now_ns)]

    def _expand(self, entries: Iterable[Entry]) -> set[Entry]:
        """Name the symbols that `*` stands for; leave out those without data."""
        pairs: set[Entry] = set()
        for channel, symbol in entries:
            if symbol == ALL and channel != TRADE_UPDATES:
                pairs.update((channel, name) for name in self.market.universe)
            elif channel == TRADE_UPDATES or self.market.has(symbol):
                pairs.add((channel, symbol))
        return pairs

    def _deliver(self, messages: Iterable[Emitted], now_ns: int) -> list[tuple[Client, list[Answer]]]:
        encoded = [_Encoded(message) for message in messages]
        deliveries: list[tuple[Client, list[Answer]]] = []
        for client in self._clients:
            wanted = self._wanted(client, encoded, now_ns)
            if wanted:
                client.sent_messages += len(wanted)
                deliveries.append((client, client.server.data(wanted)))
        return deliveries

    def _wanted(self, client: Client, encoded: list[_Encoded], now_ns: int) -> list[bytes]:
        """What of a batch goes to a client.

        One that does not hold a book yet (it asked for `*`, somebody else for the symbol) gets all of
        the book as it is after the batch, and no change of the batch.
        """
        server = client.server
        whole: set[str] = set()
        wanted: list[bytes] = []
        for item in encoded:
            if not server.wants(item.channel, item.symbols):
                continue
            message = item.message
            if isinstance(message, Orderbook) and message.S not in client.books:
                client.books.add(message.S)
                whole.add(message.S)
                wanted.append(encode(self.market.snapshot(message.S, now_ns), server.encoding))
            elif not (isinstance(message, Orderbook) and message.S in whole):
                wanted.append(item.bytes_for(server.encoding))
        return wanted


def _routing(message: Emitted) -> tuple[str, tuple[str, ...]]:
    """The channel of a message and the symbols that it is about."""
    if isinstance(message, TradeUpdateMessage):
        return message.stream, ()
    if isinstance(message, News):
        return "news", message.symbols
    tag = message.__struct_config__.tag
    return CHANNEL_OF_TYPE[str(tag)], (message.S,)
