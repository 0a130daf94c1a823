"""WebSocketManagerController in Python: the twin of the C# worker under `workers/`.

Opens and owns WebSocket feeds by commands (`docs/architecture.md`, "Commands"). It holds no connection: the
WebSocketManager does, under this worker's id. This one file is deployed as `text/x-python`, so it uses only
the standard library. It answers as its C# twin does, word for word; one contract test runs against both.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

SERVICE = "websocketmanager"
SOURCE = "urn:com.virtufin.websocketmanagercontroller"
REPLY_TYPE = "response.websocketmanagercontroller"

MAX_LEVELS = 64
"""How deep a command may nest: far more than any does, far less than a stack bears."""
KEEP_MS = 10 * 60 * 1000
"""How long a reply is remembered."""
MAX_REPLIES = 4096
"""How many replies are remembered at most."""
MAX_CHARACTERS = 4 * 1024 * 1024
"""How many characters they have at most together; a longer reply is not kept."""

ALIASES = {"stop-publish": "stop_publish"}
"""Older names of commands; replies carry the newer one."""
_STATUS_REPORT = re.compile(
    "(CANCELLED|UNKNOWN|INVALID_ARGUMENT|DEADLINE_EXCEEDED|NOT_FOUND|ALREADY_EXISTS|PERMISSION_DENIED"
    "|RESOURCE_EXHAUSTED|FAILED_PRECONDITION|ABORTED|OUT_OF_RANGE|UNIMPLEMENTED|INTERNAL|UNAVAILABLE"
    "|DATA_LOSS|UNAUTHENTICATED): (.*)",
    re.DOTALL,
)
_LOWER_ASCII = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_BASE64_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_UINT32_MAX = 2**32 - 1

Json = dict[str, Any]


class Gateway(Protocol):
    """The way to the platform's services; the host of a worker implements it."""

    def invoke(self, service: str, method: str, request_json: str) -> str:
        """Return the response as proto3 JSON; raise `RuntimeError("<STATUS>: <text>")` when it failed."""
        ...


class CommandError(Exception):
    """A command that failed: a gRPC status name and a message for the one who sent it."""

    def __init__(self, message: str, code: str = "INVALID_ARGUMENT") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    @classmethod
    def from_report(cls, report: str, fallback: str) -> CommandError:
        """Split `NAME: text`, the form in which a gateway reports a failed call."""
        found = _STATUS_REPORT.fullmatch(report)
        code, text = found.groups() if found else ("INTERNAL", report)
        return cls(text or fallback, code)


class Command:
    """The fields of one command; a field that is null counts as not given.

    Whatever is missing or of the wrong type is a `CommandError` that names the field; values are not shown:
    they may be secret.
    """

    def __init__(self, fields: Json) -> None:
        self.fields = fields

    def text(self, field: str) -> str:
        """Return a string that must be there and must not be empty."""
        text = _as_text(field, self._required(field))
        if not text:
            raise CommandError(f'field "{field}" must not be empty')
        return text

    def optional_text(self, field: str) -> str | None:
        """Return a string, or None when it is left out or empty."""
        value = self.fields.get(field)
        return None if value is None else _as_text(field, value) or None

    def base64(self, field: str) -> str:
        """Return a string in base64, not decoded; it may be empty."""
        text = _as_text(field, self._required(field))
        if not _is_base64(text):
            raise CommandError(f'field "{field}" is no base64')
        return text

    def optional_flag(self, field: str) -> bool | None:
        """Return a boolean, or None when it is left out."""
        value = self.fields.get(field)
        if value is not None and not isinstance(value, bool):
            raise _wrong_type(field, "a boolean", value)
        return value

    def optional_uint32(self, field: str) -> int | None:
        """Return a whole number from 0 to 4294967295, or None when it is left out."""
        wanted = "a whole number from 0 to 4294967295"
        value = self.fields.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type(field, wanted, value)
        if isinstance(value, float) or not 0 <= value <= _UINT32_MAX:
            raise CommandError(f'field "{field}" must be {wanted}, not {value}')
        return value

    def texts(self, field: str) -> list[str]:
        """Return a list of strings, at least one."""
        value = self._required(field)
        if not isinstance(value, list):
            raise _wrong_type(field, "a list of strings", value)
        if not value:
            raise CommandError(f'field "{field}" must not be empty')
        return [_as_text(f"{field}[{i}]", item) for i, item in enumerate(value)]

    def optional_text_map(self, field: str) -> dict[str, str] | None:
        """Return an object whose values are strings, or None when it is left out or empty."""
        value = self.fields.get(field)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _wrong_type(field, "an object with strings", value)
        return {name: _as_text(f"{field}.{name}", item) for name, item in value.items()} or None

    def _required(self, field: str) -> Any:  # noqa: ANN401 - a JSON value, narrowed by the callers
        value = self.fields.get(field)
        if value is None:
            raise CommandError(f'field "{field}" is missing')
        return value


class ReplyMemory:
    """The last replies, so that a command that comes twice is answered twice but run once.

    Bounded in time, number and characters; the oldest go first. Not thread-safe. The time is an argument, in
    milliseconds from any fixed moment.
    """

    def __init__(self) -> None:
        self._replies: dict[str, str] = {}
        self._entries: deque[tuple[str, float]] = deque()
        self._characters = 0

    def find(self, key: str, now_ms: float) -> str | None:
        """Return the reply that was remembered under a key, or None when there is none any more."""
        while self._entries and now_ms - self._entries[0][1] >= KEEP_MS:
            self._forget()
        return self._replies.get(key)

    def remember(self, key: str, reply: str, now_ms: float) -> None:
        """Keep a reply under a key that is not in use."""
        if len(key) + len(reply) > MAX_CHARACTERS:
            return
        self._replies[key] = reply
        self._entries.append((key, now_ms))
        self._characters += len(key) + len(reply)
        while len(self._entries) > MAX_REPLIES or self._characters > MAX_CHARACTERS:
            self._forget()

    def _forget(self) -> None:
        key, _ = self._entries.popleft()
        self._characters -= len(key) + len(self._replies.pop(key))


class Controller:
    """The nine commands. They run one at a time, in the order in which they come."""

    def __init__(self, worker_id: str, gateway: Gateway) -> None:
        self.worker_id = worker_id
        self._gateway = gateway
        # One count for all connections: what one of them sees increases, and nothing has to be kept for each.
        self._last_subscription_id = 0
        self._handlers: dict[str, Callable[[Command], Json]] = {
            "create": self._create,
            "subscribe": lambda command: self._subscribe(command, "SUBSCRIBE"),
            "unsubscribe": lambda command: self._subscribe(command, "UNSUBSCRIBE"),
            "publish": self._publish,
            "stop_publish": self._stop_publish,
            "send_raw": self._send_raw,
            "list": self._list,
            "disconnect": self._disconnect,
            "stop": self._stop,
        }

    def handler(self, name: str) -> Callable[[Command], Json]:
        """Return what runs a command and gives what its reply holds beside command, success and worker."""
        if name not in self._handlers:
            raise CommandError(f'unknown command "{name}": known are {", ".join(self._handlers)}')
        return self._handlers[name]

    def _create(self, command: Command) -> Json:
        request = {
            "url": command.text("url"),
            "auto_reconnect": command.optional_flag("auto_reconnect"),
            "tags": command.optional_text_map("tags"),
            "connector": command.optional_text("connector"),
            "options": command.optional_text_map("options"),
            "owner": self.worker_id,
            "lease_seconds": command.optional_uint32("lease_seconds"),
        }
        response = self._call("Connect", request)
        connection_id, status = response.get("id"), response.get("status")
        if not isinstance(connection_id, str) or not connection_id:
            raise CommandError("the answer of Connect has no id", "INTERNAL")
        return {"id": connection_id, "message": status if status and isinstance(status, str) else "connected"}

    def _subscribe(self, command: Command, method: str) -> Json:
        # As Binance takes it ("Live Subscribing/Unsubscribing to streams"); its answer repeats the id.
        connection_id, streams = command.text("id"), command.texts("params")
        self._last_subscription_id += 1
        message = _dumps({"method": method, "params": streams, "id": self._last_subscription_id})
        request = {"id": connection_id, "message": base64.b64encode(message.encode("ascii")).decode("ascii")}
        self._call("SendRaw", request | {"content_type": "application/json"})
        return {"id": connection_id, "message": "sent"}

    def _publish(self, command: Command) -> Json:
        request = {"id": command.text("id"), "topic": command.text("topic")}
        options = {name: command.optional_text(name) for name in ("encoding", "overflow", "markers")}
        self._call("StartPublish", request | options)
        return {"id": request["id"], "message": "publishing"}

    def _stop_publish(self, command: Command) -> Json:
        connection_id = command.text("id")
        self._call("StopPublish", {"id": connection_id})
        return {"id": connection_id, "message": "stopped publishing"}

    def _send_raw(self, command: Command) -> Json:
        request: Json = {"id": command.text("id"), "message": command.base64("message")}
        request["content_type"] = command.optional_text("content_type") or "application/json"
        options = {name: command.optional_flag(name) for name in ("secrets", "replay")}
        self._call("SendRaw", request | options)
        return {"id": request["id"], "message": "sent"}

    def _list(self, _command: Command) -> Json:
        connections = self._call("List", {}).get("connections")
        found = connections if isinstance(connections, list) else []
        return {"connections": [connection for connection in found if self._owns(connection)]}

    def _owns(self, connection: object) -> bool:
        return isinstance(connection, dict) and connection.get("owner") == self.worker_id

    def _disconnect(self, command: Command) -> Json:
        connection_id = command.text("id")
        self._call("Disconnect", {"id": connection_id})
        return {"id": connection_id, "message": "disconnected"}

    def _stop(self, _command: Command) -> Json:
        ids = self._call("DisconnectOwned", {"owner": self.worker_id}).get("ids")
        return {"ids": ids if isinstance(ids, list) else [], "message": "disconnected"}

    def _call(self, method: str, request: Json) -> Json:
        """Call the WebSocketManager; members of the request that are None are left out."""
        given = {name: value for name, value in request.items() if value is not None}
        try:
            response = self._gateway.invoke(SERVICE, method, _dumps(given))
        except Exception as error:
            # Whatever a host raises, its text is the report.
            raise CommandError.from_report(str(error), f"{method} failed") from error
        answer = _read_object(response)
        if answer is None:
            raise CommandError(f"the answer of {method} is no JSON object", "INTERNAL")
        return answer


class Worker:
    """Answers each event, with `"success": false` when it cannot be obeyed; nothing makes it raise.

    A command that comes again with the same `correlationid` is answered from memory.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._memory = ReplyMemory()
        self._controller: Controller | None = None

    def start(self, worker_id: str, gateway: Gateway) -> None:
        """Take the worker's id and the way to the platform."""
        with self._gate:
            self._controller = Controller(worker_id, gateway)

    def process(self, event: object) -> Json:
        """Return the reply to a command."""
        attributes = event if isinstance(event, dict) else {}
        correlation_id = _attribute(attributes, "correlationid")
        with self._gate:
            reply = self._answer(attributes, correlation_id)
        result: Json = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": SOURCE,
            "type": _attribute(attributes, "replytopic") or REPLY_TYPE,
            "datacontenttype": "application/json",
        }
        if correlation_id is not None:
            result["correlationid"] = correlation_id
        result["data"] = json.loads(reply)
        return result

    def _answer(self, event: Json, correlation_id: str | None) -> str:
        try:
            data = _data_object(event)
        except CommandError as error:
            return self._failure("", error)
        if correlation_id is None:
            return self._run(data)
        # A digest tells commands apart without keeping them, which would keep their secrets.
        digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode("ascii")).hexdigest()
        key = f"{digest} {correlation_id}"
        reply = self._memory.find(key, time.monotonic() * 1000)
        if reply is None:
            reply = self._run(data)
            self._memory.remember(key, reply, time.monotonic() * 1000)
        return reply

    def _run(self, data: Json) -> str:
        given = data.get("command")
        name = given.translate(_LOWER_ASCII) if isinstance(given, str) else ""
        name = ALIASES.get(name, name)
        try:
            controller = self._started()
            command = Command(data)
            command.text("command")  # raises when it is missing, empty or no string
            result = controller.handler(name)(command)
        except CommandError as error:
            return self._failure(name, error)
        except Exception as error:  # noqa: BLE001 - a defect here: the sender is told, the worker lives on
            return self._failure(name, CommandError(f"{type(error).__name__}: {error}", "INTERNAL"))
        return _dumps({"command": name, "success": True, "worker": controller.worker_id} | result)

    def _started(self) -> Controller:
        if self._controller is None:
            raise CommandError("the worker is not started", "FAILED_PRECONDITION")
        return self._controller

    def _failure(self, name: str, error: CommandError) -> str:
        worker = self._controller.worker_id if self._controller else ""
        failure = {"message": error.message, "code": error.code}
        return _dumps({"command": name, "success": False, "worker": worker} | failure)


def _is_base64(text: str) -> bool:
    """Whether a text is base64 by RFC 4648, section 4: the plain alphabet, padded, nothing between."""
    if len(text) % 4:
        return False
    return _BASE64_CHARACTERS.issuperset(text.removesuffix("=").removesuffix("="))


def _attribute(event: Json, name: str) -> str | None:
    value = event.get(name)
    return value or None if isinstance(value, str) else None


def _data_object(event: Json) -> Json:
    """Return the data as a JSON object of bounded depth.

    JSON in a string or in `data_base64` is read as well: that is how it arrives from a sender who named
    another content type.
    """
    data, packed = event.get("data"), event.get("data_base64")
    if data is None and not isinstance(packed, str):
        raise CommandError('the event has no data: send {"command": ...} as JSON')
    text = _unpack(str(packed)) if data is None else data
    result = _read_object(text) if isinstance(text, str) else data
    if not isinstance(result, dict) or not _is_bounded(result):
        raise CommandError(f'field "data" is no JSON object of at most {MAX_LEVELS} levels')
    return result


def _unpack(packed: str) -> str:
    try:
        return base64.b64decode(packed).decode("utf-8") if _is_base64(packed) else ""
    except UnicodeDecodeError:
        return ""  # bytes that are no UTF-8 are no JSON either


def _read_object(text: object) -> Json | None:
    """Read a JSON object of bounded depth, or return None when the text is none."""
    if not isinstance(text, str):
        return None
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()  # refuses half a surrogate pair (RFC 7493, 2.1)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and _is_bounded(value) else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _is_bounded(value: Json) -> bool:
    level: list[Json | list[Any]] = [value]
    for _ in range(MAX_LEVELS):
        members = (item.values() if isinstance(item, dict) else item for item in level)
        level = [item for group in members for item in group if isinstance(item, dict | list)]
        if not level:
            return True
    return False


def _as_text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong_type(field, "a string", value)
    return value


def _wrong_type(field: str, wanted: str, value: object) -> CommandError:
    return CommandError(f'field "{field}" must be {wanted}, not {_kind(value)}')


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds = (("a boolean", bool), ("a string", str), ("a number", (int, float)), ("an object", dict))
    return next((name for name, types in kinds if isinstance(value, types)), "a list")


def _dumps(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))


_worker = Worker()


def Start(worker_id: str, topic: str, gateway: Gateway) -> None:  # noqa: ARG001 - the host passes the topic by contract
    """Called once by the host, before the first event."""
    _worker.start(worker_id, gateway)


def Process(event: dict[str, Any]) -> dict[str, Any] | None:
    """Answer one CloudEvent; the reply's type is the topic that it goes to."""
    return _worker.process(event)
