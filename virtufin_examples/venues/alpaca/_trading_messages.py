"""What the trading stream sends about orders. Numbers are strings there."""

from __future__ import annotations

import msgspec

from virtufin_examples.venues.alpaca._time import Timestamp


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as Alpaca's REST API shows it; fields that do not apply are null."""

    id: str
    client_order_id: str
    created_at: Timestamp
    updated_at: Timestamp
    submitted_at: Timestamp
    filled_at: Timestamp | None = None
    expired_at: Timestamp | None = None
    canceled_at: Timestamp | None = None
    cancel_requested_at: Timestamp | None = None
    failed_at: Timestamp | None = None
    replaced_at: Timestamp | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    asset_id: str
    asset_class: str = "us_equity"
    symbol: str
    notional: str | None = None
    qty: str
    filled_qty: str = "0"
    filled_avg_price: str | None = None
    order_class: str = "simple"
    order_type: str = "limit"
    type: str = "limit"
    side: str
    time_in_force: str = "day"
    limit_price: str | None = None
    stop_price: str | None = None
    status: str
    extended_hours: bool = False
    legs: tuple[Order, ...] | None = None
    trail_percent: str | None = None
    trail_price: str | None = None
    hwm: str | None = None


class TradeUpdate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event of an order; `price`, `qty` and `position_qty` come with fills."""

    event: str
    execution_id: str
    timestamp: Timestamp
    price: str | None = None
    qty: str | None = None
    position_qty: str | None = None
    order: Order


class TradeUpdateMessage(msgspec.Struct, frozen=True):
    """A trade update with the name of its stream."""

    stream: str
    data: TradeUpdate
