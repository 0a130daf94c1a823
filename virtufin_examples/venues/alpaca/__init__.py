"""Alpaca: messages, endpoints, error codes and limits, the connector, books.

The server half is in `virtufin_examples.venues.alpaca.server`.
"""

from virtufin_examples.venues.alpaca._backfill import BACKFILLED_CHANNELS
from virtufin_examples.venues.alpaca._codec import (
    MSGPACK_CONTENT_TYPE,
    Answer,
    WireEncoding,
    decode,
    encode,
    encoding_of,
    join,
    read_struct,
    transcode,
)
from virtufin_examples.venues.alpaca._codes import (
    ERROR_CODES,
    STALE_SESSION_SECONDS,
    ErrorCode,
    error_code,
)
from virtufin_examples.venues.alpaca._connector import AlpacaConnector
from virtufin_examples.venues.alpaca._display import FrameItem, parse_frame
from virtufin_examples.venues.alpaca._endpoints import (
    ANSWERED_CHANNELS,
    CHANNELS,
    ENDPOINTS,
    FOLLOWERS,
    TRADE_UPDATES,
    Endpoint,
    Kind,
    channels_of,
    check_channel,
    endpoint_of,
    find_endpoint,
)
from virtufin_examples.venues.alpaca._limits import ALGO_TRADER_PLUS, BASIC, Limits
from virtufin_examples.venues.alpaca._market_session import MarketSession
from virtufin_examples.venues.alpaca._messages import (
    CHANNEL_OF_TYPE,
    Bar,
    CancelError,
    Correction,
    CryptoQuote,
    CryptoTrade,
    DailyBar,
    DataMessage,
    ErrorMessage,
    Imbalance,
    Level,
    Luld,
    News,
    OptionQuote,
    OptionTrade,
    Orderbook,
    Quote,
    Status,
    Success,
    Trade,
    UpdatedBar,
)
from virtufin_examples.venues.alpaca._orderbook import BookLevel, OrderBook
from virtufin_examples.venues.alpaca._peek import messages
from virtufin_examples.venues.alpaca._reading import read_messages
from virtufin_examples.venues.alpaca._requests import auth_message, subscribe_message, unsubscribe_message
from virtufin_examples.venues.alpaca._time import Timestamp
from virtufin_examples.venues.alpaca._trading_messages import Order, TradeUpdate, TradeUpdateMessage
from virtufin_examples.venues.alpaca._trading_session import TradingSession

__all__ = [
    "ALGO_TRADER_PLUS",
    "ANSWERED_CHANNELS",
    "BACKFILLED_CHANNELS",
    "BASIC",
    "CHANNELS",
    "CHANNEL_OF_TYPE",
    "ENDPOINTS",
    "ERROR_CODES",
    "FOLLOWERS",
    "MSGPACK_CONTENT_TYPE",
    "STALE_SESSION_SECONDS",
    "TRADE_UPDATES",
    "AlpacaConnector",
    "Answer",
    "Bar",
    "BookLevel",
    "CancelError",
    "Correction",
    "CryptoQuote",
    "CryptoTrade",
    "DailyBar",
    "DataMessage",
    "Endpoint",
    "ErrorCode",
    "ErrorMessage",
    "FrameItem",
    "Imbalance",
    "Kind",
    "Level",
    "Limits",
    "Luld",
    "MarketSession",
    "News",
    "OptionQuote",
    "OptionTrade",
    "Order",
    "OrderBook",
    "Orderbook",
    "Quote",
    "Status",
    "Success",
    "Timestamp",
    "Trade",
    "TradeUpdate",
    "TradeUpdateMessage",
    "TradingSession",
    "UpdatedBar",
    "WireEncoding",
    "auth_message",
    "channels_of",
    "check_channel",
    "decode",
    "encode",
    "encoding_of",
    "endpoint_of",
    "error_code",
    "find_endpoint",
    "join",
    "messages",
    "parse_frame",
    "read_messages",
    "read_struct",
    "subscribe_message",
    "transcode",
    "unsubscribe_message",
]
