"""The chassis of every service: gRPC (reflection, health, keys), HTTP (health, metrics), graceful stop.

Names are loaded when they are first used: a simulator needs the logs and none of gRPC.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtufin_examples.service._channel import CHANNEL_OPTIONS, MAX_MESSAGE_BYTES
    from virtufin_examples.service._chassis import Addresses, Chassis, GrpcService, Readiness
    from virtufin_examples.service._files import allow_many_files
    from virtufin_examples.service._http_server import HttpServer
    from virtufin_examples.service._listening import check_free, listen
    from virtufin_examples.service._logs import configure_logging
    from virtufin_examples.service._memory import keep_memory
    from virtufin_examples.service._run import run_until_stopped

_HOMES = dict.fromkeys(("Addresses", "Chassis", "GrpcService", "Readiness"), "_chassis") | {
    "CHANNEL_OPTIONS": "_channel",
    "MAX_MESSAGE_BYTES": "_channel",
    "HttpServer": "_http_server",
    "allow_many_files": "_files",
    "check_free": "_listening",
    "listen": "_listening",
    "configure_logging": "_logs",
    "keep_memory": "_memory",
    "run_until_stopped": "_run",
}

__all__ = [
    "CHANNEL_OPTIONS",
    "MAX_MESSAGE_BYTES",
    "Addresses",
    "Chassis",
    "GrpcService",
    "HttpServer",
    "Readiness",
    "allow_many_files",
    "check_free",
    "configure_logging",
    "keep_memory",
    "listen",
    "run_until_stopped",
]


def __getattr__(name: str) -> object:
    """Load a public name from its module (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
