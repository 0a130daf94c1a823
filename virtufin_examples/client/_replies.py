"""What the WebSocketManagerController answers (`docs/architecture.md`, "Commands")."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from virtufin_examples.errors import VirtufinError, error_from_status


class ConnectionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A connection as `List` shows it (`virtufin.v1.WebSocketConnection`); times are Unix nanoseconds.

    Symbols are empty where a WebSocketManager does not tell them.
    """

    id: str
    url: str = ""
    status: str = ""
    topic: str = ""
    instance_id: str = ""
    content_type: str = ""
    tags: dict[str, str] = {}
    owner: str = ""
    connector: str = ""
    epoch: int = 0
    last_sequence: int = 0
    last_received_ns: int = 0
    restorable: bool = False
    simulated: bool = False
    reason: str = ""
    encoding: str = ""
    frames: int = 0
    reconnects: int = 0
    held_bytes: int = 0
    queued_bytes: int = 0
    auto_reconnect: bool = False
    wanted_symbols: tuple[str, ...] = ()
    acknowledged_symbols: tuple[str, ...] = ()
    stale_symbols: tuple[str, ...] = ()
    spooled_bytes: int = 0
    backfill: str = ""
    asked_again: int = 0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A command that succeeded."""

    command: str
    worker: str = ""
    id: str = ""
    message: str = ""


class Created(Reply, frozen=True, kw_only=True):
    """The reply to `create`: `id` names the new connection."""


class Connections(Reply, frozen=True, kw_only=True):
    """The reply to `list`: the connections that this worker owns."""

    connections: tuple[ConnectionInfo, ...] = ()


class Stopped(Reply, frozen=True, kw_only=True):
    """The reply to `stop`: the connections that it ended."""

    ids: tuple[str, ...] = ()


class _Outcome(msgspec.Struct, frozen=True):
    success: bool
    message: str = ""
    code: str = ""


ReplyType = TypeVar("ReplyType", bound=Reply)


def read_reply(command: str, data: bytes, reply: type[ReplyType]) -> ReplyType:
    """Read a reply's JSON; a failure is raised as the error of its code, with the command's name.

    64-bit integers may come as strings, as proto3 JSON writes them.
    """
    try:
        outcome = msgspec.json.decode(data, type=_Outcome, strict=False)
        if outcome.success:
            return msgspec.json.decode(data, type=reply, strict=False)
    except msgspec.DecodeError as error:
        raise VirtufinError(f"{command}: the worker's reply is not understood: {error}") from None
    raise error_from_status(outcome.code or "INTERNAL", f"{command}: {outcome.message}")
