"""What scripts and services import: the gateway, workers and their commands, feeds, subscriptions.

Names are loaded when they are first used: a subscriber does not pay for what it leaves alone, and a script
starts its platform before gRPC is loaded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtufin_examples.client._api import DEFAULT_ENDPOINT, ApiClient, Method, ServiceConfig, StateValue
    from virtufin_examples.client._close_feed import RUN_TAG, close_feed
    from virtufin_examples.client._commands import COMMAND_TOPIC, RESPONSE_TOPIC, WorkerCommands
    from virtufin_examples.client._connections import WebSocketManagerClient
    from virtufin_examples.client._diagnosis import Diagnosis, Finding, Health, Link
    from virtufin_examples.client._embedded import (
        SIMULATOR_SECRET_NAME,
        ChildService,
        EmbeddedPlatform,
        EmbeddedSimulator,
        platform_child,
        simulator_child,
        simulator_secret,
    )
    from virtufin_examples.client._engine import Engine, packed_worker
    from virtufin_examples.client._events import CloudEvent
    from virtufin_examples.client._feed import Feed, FeedInfo
    from virtufin_examples.client._feed_settings import FeedSettings
    from virtufin_examples.client._first_arrivals import FirstArrivals, first_arrivals
    from virtufin_examples.client._open_feed import new_run_id, open_feed
    from virtufin_examples.client._pace import AtOnce, OnCredit, Pace, Timed
    from virtufin_examples.client._probe import LISTEN_SECONDS, feed_status, unreachable
    from virtufin_examples.client._record import Recorded, record
    from virtufin_examples.client._replay import Replay, Replayed, default_topic, open_replay
    from virtufin_examples.client._replies import ConnectionInfo, Connections, Created, Reply, Stopped
    from virtufin_examples.client._requests import Requests
    from virtufin_examples.client._running_symbols import change_symbols
    from virtufin_examples.client._settings import ClientSettings
    from virtufin_examples.client._steps import Step
    from virtufin_examples.client._subscribe import Subscription, subscribe, subscribe_blocking
    from virtufin_examples.client._tap import TopicTap
    from virtufin_examples.client._topic_events import own_sidecar, sidecar_events
    from virtufin_examples.client._venue_port import Credentials
    from virtufin_examples.client._workers import WorkerInfo, WorkerStatus, WorkManagerClient
    from virtufin_examples.frames import Frame, Gap, Late, Restored, Silent, Stale

_MODULES = {
    "_api": ("DEFAULT_ENDPOINT", "ApiClient", "Method", "ServiceConfig", "StateValue"),
    "_close_feed": ("RUN_TAG", "close_feed"),
    "_commands": ("COMMAND_TOPIC", "RESPONSE_TOPIC", "WorkerCommands"),
    "_connections": ("WebSocketManagerClient",),
    "_embedded": (
        "SIMULATOR_SECRET_NAME",
        "ChildService",
        "EmbeddedPlatform",
        "EmbeddedSimulator",
        "platform_child",
        "simulator_child",
        "simulator_secret",
    ),
    "_engine": ("Engine", "packed_worker"),
    "_events": ("CloudEvent",),
    "_feed": ("Feed", "FeedInfo"),
    "_feed_settings": ("FeedSettings",),
    "_first_arrivals": ("FirstArrivals", "first_arrivals"),
    "_open_feed": ("new_run_id", "open_feed"),
    "_pace": ("AtOnce", "OnCredit", "Pace", "Timed"),
    "_diagnosis": ("Diagnosis", "Finding", "Health", "Link"),
    "_probe": ("LISTEN_SECONDS", "feed_status", "unreachable"),
    "_record": ("Recorded", "record"),
    "_replay": ("Replay", "Replayed", "default_topic", "open_replay"),
    "_replies": ("ConnectionInfo", "Connections", "Created", "Reply", "Stopped"),
    "_requests": ("Requests",),
    "_running_symbols": ("change_symbols",),
    "_settings": ("ClientSettings",),
    "_steps": ("Step",),
    "_subscribe": ("Subscription", "subscribe", "subscribe_blocking"),
    "_tap": ("TopicTap",),
    "_topic_events": ("own_sidecar", "sidecar_events"),
    "_venue_port": ("Credentials",),
    "_workers": ("WorkManagerClient", "WorkerInfo", "WorkerStatus"),
}
_ITEMS = ("Frame", "Gap", "Late", "Restored", "Silent", "Stale")
_HOMES = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}
_HOMES |= dict.fromkeys(_ITEMS, "virtufin_examples.frames")

__all__ = [
    "COMMAND_TOPIC",
    "DEFAULT_ENDPOINT",
    "LISTEN_SECONDS",
    "RESPONSE_TOPIC",
    "RUN_TAG",
    "SIMULATOR_SECRET_NAME",
    "ApiClient",
    "AtOnce",
    "ChildService",
    "ClientSettings",
    "CloudEvent",
    "ConnectionInfo",
    "Connections",
    "Created",
    "Credentials",
    "Diagnosis",
    "EmbeddedPlatform",
    "EmbeddedSimulator",
    "Engine",
    "Feed",
    "FeedInfo",
    "FeedSettings",
    "Finding",
    "FirstArrivals",
    "Frame",
    "Gap",
    "Health",
    "Late",
    "Link",
    "Method",
    "OnCredit",
    "Pace",
    "Recorded",
    "Replay",
    "Replayed",
    "Reply",
    "Requests",
    "Restored",
    "ServiceConfig",
    "Silent",
    "Stale",
    "StateValue",
    "Step",
    "Stopped",
    "Subscription",
    "Timed",
    "TopicTap",
    "WebSocketManagerClient",
    "WorkManagerClient",
    "WorkerCommands",
    "WorkerInfo",
    "WorkerStatus",
    "change_symbols",
    "close_feed",
    "default_topic",
    "feed_status",
    "first_arrivals",
    "new_run_id",
    "open_feed",
    "open_replay",
    "own_sidecar",
    "packed_worker",
    "platform_child",
    "record",
    "sidecar_events",
    "simulator_child",
    "simulator_secret",
    "subscribe",
    "subscribe_blocking",
    "unreachable",
]


def __getattr__(name: str) -> object:
    """Load a public name from its module (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted(__all__)
