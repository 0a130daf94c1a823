"""Simulated orders for the trading stream: each lives from `new` to its end."""

from __future__ import annotations

import random
import uuid

import msgspec

from virtufin_examples.simulators._instrument import Instrument
from virtufin_examples.venues.alpaca import (
    TRADE_UPDATES,
    Order,
    Timestamp,
    TradeUpdate,
    TradeUpdateMessage,
)

_OPEN_AT_ONCE = 5
_OPENED = 0.4  # of the events open an order while few are open
_CANCELED = 0.2  # of the events of an open order take it back
_STATUS_OF = {"new": "new", "partial_fill": "partially_filled", "fill": "filled", "canceled": "canceled"}


class OrderSource:
    """Emits order events: new, partial fills, then a fill or a cancel."""

    def __init__(self, rng: random.Random, symbols: tuple[str, ...]) -> None:
        self._rng = rng
        self._instruments = [Instrument(symbol, rng) for symbol in symbols]
        self._open: list[Order] = []
        self._positions: dict[str, int] = {}

    def next(self, now_ns: int) -> TradeUpdateMessage:
        """The next event of some order."""
        now = Timestamp(now_ns)
        if not self._open or (len(self._open) < _OPEN_AT_ONCE and self._rng.random() < _OPENED):
            return self._new(now)
        order = self._open.pop(self._rng.randrange(len(self._open)))
        if self._rng.random() < _CANCELED:
            canceled = msgspec.structs.replace(order, status="canceled", canceled_at=now, updated_at=now)
            return self._update("canceled", canceled, now)
        return self._fill(order, now)

    def _new(self, now: Timestamp) -> TradeUpdateMessage:
        it = self._rng.choice(self._instruments)
        order = Order(
            id=self._id(),
            client_order_id=self._id(),
            created_at=now,
            updated_at=now,
            submitted_at=now,
            asset_id=self._id(),
            asset_class="crypto" if "/" in it.symbol else "us_equity",
            symbol=it.symbol,
            qty=str(self._rng.randrange(2, 200)),
            side=self._rng.choice(("buy", "sell")),
            limit_price=str(it.scale.price(it.step())),
            status=_STATUS_OF["new"],
        )
        self._open.append(order)
        return self._update("new", order, now)

    def _fill(self, order: Order, now: Timestamp) -> TradeUpdateMessage:
        left = int(order.qty) - int(order.filled_qty)
        quantity = self._rng.randint(1, left)
        event = "fill" if quantity == left else "partial_fill"
        filled = msgspec.structs.replace(
            order,
            filled_qty=str(int(order.filled_qty) + quantity),
            filled_avg_price=order.limit_price,
            filled_at=now if event == "fill" else None,
            updated_at=now,
            status=_STATUS_OF[event],
        )
        if event == "partial_fill":
            self._open.append(filled)
        signed = quantity if order.side == "buy" else -quantity
        position = self._positions[order.symbol] = self._positions.get(order.symbol, 0) + signed
        return self._update(
            event, filled, now, price=order.limit_price, qty=str(quantity), position_qty=str(position)
        )

    def _update(
        self,
        event: str,
        order: Order,
        now: Timestamp,
        *,
        price: str | None = None,
        qty: str | None = None,
        position_qty: str | None = None,
    ) -> TradeUpdateMessage:
        update = TradeUpdate(
            event=event,
            execution_id=self._id(),
            timestamp=now,
            price=price,
            qty=qty,
            position_qty=position_qty,
            order=order,
        )
        return TradeUpdateMessage(TRADE_UPDATES, update)

    def _id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
