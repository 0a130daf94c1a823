"""What the worker must do, as a table: a command, the calls that it makes of the gateway, and the reply."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

WORKER_ID = "worker-1"
KNOWN = "create, subscribe, unsubscribe, publish, stop_publish, send_raw, list, disconnect, stop"


@dataclass(frozen=True)
class Case:
    """`answer` is what the gateway returns, `reply` the data beside command, success and worker."""

    name: str
    data: object
    reply: dict
    calls: list[tuple[str, dict]] = field(default_factory=list)
    answer: object = field(default_factory=dict)
    command: str = ""

    def __str__(self) -> str:
        return self.name


def ok(name: str, data: dict, calls: list[tuple[str, dict]], reply: dict, answer: object = None) -> Case:
    command = data["command"].lower().replace("-", "_")
    return Case(name, data, {"success": True} | reply, calls, {} if answer is None else answer, command)


def refused(name: str, data: object, message: str, command: str = "") -> Case:
    reply = {"success": False, "message": message, "code": "INVALID_ARGUMENT"}
    if isinstance(data, dict) and isinstance(data.get("command"), str):
        command = data["command"].lower()
    return Case(name, data, reply, command=command)


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def nested(levels: int) -> dict:
    value: dict = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


CONNECTED = {"id": "c-1", "status": "connected"}
AUTH = packed('{"action":"auth","key":"${secret:alpaca/key}"}')
SUBSCRIBE = packed('{"method":"SUBSCRIBE","params":["btcusdt@trade","\\u20ac"],"id":1}')
MINE = {"id": "c-1", "owner": WORKER_ID, "status": "connected", "epoch": "18446744073709551615", "x": 1.5}

SUCCESSES = [
    ok(
        "create with the url alone",
        {"command": "create", "url": "wss://venue.test/v1"},
        [("Connect", {"url": "wss://venue.test/v1", "owner": WORKER_ID})],
        {"id": "c-1", "message": "connected"},
        CONNECTED,
    ),
    ok(
        "create with everything",
        {
            "command": "create",
            "url": "wss://venue.test",
            "auto_reconnect": True,
            "tags": {"run": "7", "ключ": "значение"},
            "connector": "alpaca",
            "options": {"feed": "iex"},
            "lease_seconds": 30,
            "api_host": "elsewhere:5002",
        },
        [
            (
                "Connect",
                {
                    "url": "wss://venue.test",
                    "auto_reconnect": True,
                    "tags": {"run": "7", "ключ": "значение"},
                    "connector": "alpaca",
                    "options": {"feed": "iex"},
                    "owner": WORKER_ID,
                    "lease_seconds": 30,
                },
            )
        ],
        {"id": "c-1", "message": "connecting"},
        {"id": "c-1", "status": "connecting"},
    ),
    ok(
        "null, an empty text and an empty object count as not given",
        {"command": "create", "url": "u", "auto_reconnect": None, "connector": "", "tags": {}, "api_host": 7},
        [("Connect", {"url": "u", "owner": WORKER_ID})],
        {"id": "c-1", "message": "connected"},
        {"id": "c-1"},
    ),
    ok(
        "false and zero are given",
        {"command": "CREATE", "url": "u", "auto_reconnect": False, "lease_seconds": 0},
        [("Connect", {"url": "u", "auto_reconnect": False, "owner": WORKER_ID, "lease_seconds": 0})],
        {"id": "c-1", "message": "connected"},
        CONNECTED,
    ),
    ok(
        "subscribe",
        {"command": "Subscribe", "id": "c-1", "params": ["btcusdt@trade", "€"]},
        [("SendRaw", {"id": "c-1", "message": SUBSCRIBE, "content_type": "application/json"})],
        {"id": "c-1", "message": "sent"},
    ),
    ok(
        "unsubscribe",
        {"command": "unsubscribe", "id": "c-1", "params": ["a"]},
        [
            (
                "SendRaw",
                {
                    "id": "c-1",
                    "message": packed('{"method":"UNSUBSCRIBE","params":["a"],"id":1}'),
                    "content_type": "application/json",
                },
            )
        ],
        {"id": "c-1", "message": "sent"},
    ),
    ok(
        "publish",
        {"command": "publish", "id": "c-1", "topic": "ticks"},
        [("StartPublish", {"id": "c-1", "topic": "ticks"})],
        {"id": "c-1", "message": "publishing"},
    ),
    ok(
        "publish with everything",
        {
            "command": "publish",
            "id": "c-1",
            "topic": "t",
            "encoding": "batch",
            "overflow": "block",
            "markers": "none",
        },
        [
            (
                "StartPublish",
                {"id": "c-1", "topic": "t", "encoding": "batch", "overflow": "block", "markers": "none"},
            )
        ],
        {"id": "c-1", "message": "publishing"},
    ),
    ok(
        "stop_publish",
        {"command": "stop_publish", "id": "c-1"},
        [("StopPublish", {"id": "c-1"})],
        {"id": "c-1", "message": "stopped publishing"},
    ),
    ok(
        "the older stop-publish",
        {"command": "Stop-Publish", "id": "c-1"},
        [("StopPublish", {"id": "c-1"})],
        {"id": "c-1", "message": "stopped publishing"},
    ),
    ok(
        "send_raw",
        {"command": "send_raw", "id": "c-1", "message": AUTH},
        [("SendRaw", {"id": "c-1", "message": AUTH, "content_type": "application/json"})],
        {"id": "c-1", "message": "sent"},
    ),
    ok(
        "send_raw with everything",
        {
            "command": "send_raw",
            "id": "c-1",
            "message": "AP8=",
            "content_type": "application/octet-stream",
            "secrets": True,
            "replay": False,
        },
        [
            (
                "SendRaw",
                {
                    "id": "c-1",
                    "message": "AP8=",
                    "content_type": "application/octet-stream",
                    "secrets": True,
                    "replay": False,
                },
            )
        ],
        {"id": "c-1", "message": "sent"},
    ),
    ok(
        "send_raw of an empty message",
        {"command": "send_raw", "id": "c-1", "message": ""},
        [("SendRaw", {"id": "c-1", "message": "", "content_type": "application/json"})],
        {"id": "c-1", "message": "sent"},
    ),
    ok(
        "list answers what is this worker's own",
        {"command": "list"},
        [("List", {})],
        {"connections": [MINE]},
        {"connections": [MINE, {"id": "c-2", "owner": "worker-2"}, {"id": "c-3"}, {"id": "c-4", "owner": 1}]},
    ),
    ok("list of nothing", {"command": "list"}, [("List", {})], {"connections": []}),
    ok(
        "disconnect",
        {"command": "disconnect", "id": "c-1"},
        [("Disconnect", {"id": "c-1"})],
        {"id": "c-1", "message": "disconnected"},
    ),
    ok(
        "stop",
        {"command": "stop"},
        [("DisconnectOwned", {"owner": WORKER_ID})],
        {"ids": ["c-1", "c-2"], "message": "disconnected"},
        {"ids": ["c-1", "c-2"]},
    ),
    ok(
        "stop with nothing to stop",
        {"command": "stop"},
        [("DisconnectOwned", {"owner": WORKER_ID})],
        {"ids": [], "message": "disconnected"},
    ),
    ok(
        "a command as deep as is allowed",
        {"command": "list", "extra": nested(63)},
        [("List", {})],
        {"connections": []},
    ),
]

NO_OBJECT = 'field "data" is no JSON object of at most 64 levels'
LEASE = 'field "lease_seconds" must be a whole number from 0 to 4294967295, not '
CREATE = {"command": "create", "url": "u"}
SEND = {"command": "send_raw", "id": "c"}

REFUSALS = [
    refused("data that is text but no JSON", "hello", NO_OBJECT),
    refused("data with a number that JSON has not", '{"command":"list","x":NaN}', NO_OBJECT),
    refused("data with two values", '{"command":"list"} 1', NO_OBJECT),
    refused("data with a comma too many", '{"command":"list",}', NO_OBJECT),
    refused("data with an unknown escape", '{"command":"li\\x73t"}', NO_OBJECT),
    refused("data with a leading zero", '{"command":"list","x":01}', NO_OBJECT),
    refused("data with a line break in a text", '{"command":"li\nst"}', NO_OBJECT),
    refused("data with half a surrogate pair", '{"command":"list","x":"\\ud800"}', NO_OBJECT),
    refused("data with a surrogate pair turned round", '{"command":"\\udc00\\ud800"}', NO_OBJECT),
    refused("data that is a number", 7, NO_OBJECT),
    refused("data that is a list", [{"command": "list"}], NO_OBJECT),
    refused("data that is a boolean", False, NO_OBJECT),
    refused("data that nests too deep", {"x": nested(64)}, NO_OBJECT),
    refused("no data", None, 'the event has no data: send {"command": ...} as JSON'),
    refused("no command", {}, 'field "command" is missing'),
    refused("a command that is null", {"command": None}, 'field "command" is missing'),
    refused("a command that is a number", {"command": 1}, 'field "command" must be a string, not a number'),
    refused(
        "a command that is an object", {"command": {}}, 'field "command" must be a string, not an object'
    ),
    refused("an empty command", {"command": ""}, 'field "command" must not be empty'),
    refused(
        "an unknown command",
        {"command": "Destroy"},
        f'unknown command "destroy": known are {KNOWN}',
        "destroy",
    ),
    refused("create without url", {"command": "create"}, 'field "url" is missing'),
    refused("create with an empty url", {"command": "create", "url": ""}, 'field "url" must not be empty'),
    refused(
        "create with a url that is a list",
        {"command": "create", "url": ["u"]},
        'field "url" must be a string, not a list',
    ),
    refused(
        "auto_reconnect as text",
        CREATE | {"auto_reconnect": "true"},
        'field "auto_reconnect" must be a boolean, not a string',
    ),
    refused(
        "tags as a list", CREATE | {"tags": []}, 'field "tags" must be an object with strings, not a list'
    ),
    refused(
        "a tag that is a number",
        CREATE | {"tags": {"a": "b", "n": 1}},
        'field "tags.n" must be a string, not a number',
    ),
    refused(
        "an option that is null",
        CREATE | {"options": {"a": None}},
        'field "options.a" must be a string, not null',
    ),
    refused(
        "connector as a boolean",
        CREATE | {"connector": True},
        'field "connector" must be a string, not a boolean',
    ),
    refused("a lease below zero", CREATE | {"lease_seconds": -1}, LEASE + "-1"),
    refused("a lease too long", CREATE | {"lease_seconds": 2**32}, LEASE + "4294967296"),
    refused("a lease beyond 64 bits", CREATE | {"lease_seconds": 2**70}, LEASE + str(2**70)),
    refused("a lease with a fraction", CREATE | {"lease_seconds": 30.5}, LEASE + "30.5"),
    refused("a lease as text", CREATE | {"lease_seconds": "30"}, LEASE + "a string"),
    refused("a lease that is true", CREATE | {"lease_seconds": True}, LEASE + "a boolean"),
    refused("subscribe without id", {"command": "subscribe", "params": ["a"]}, 'field "id" is missing'),
    refused("subscribe without params", {"command": "subscribe", "id": "c"}, 'field "params" is missing'),
    refused(
        "params as text",
        {"command": "subscribe", "id": "c", "params": "a"},
        'field "params" must be a list of strings, not a string',
    ),
    refused(
        "params without an entry",
        {"command": "unsubscribe", "id": "c", "params": []},
        'field "params" must not be empty',
    ),
    refused(
        "params with a number",
        {"command": "subscribe", "id": "c", "params": ["a", 2]},
        'field "params[1]" must be a string, not a number',
    ),
    refused("publish without topic", {"command": "publish", "id": "c"}, 'field "topic" is missing'),
    refused(
        "encoding as a number",
        {"command": "publish", "id": "c", "topic": "t", "encoding": 1},
        'field "encoding" must be a string, not a number',
    ),
    refused("an empty id", {"command": "stop_publish", "id": ""}, 'field "id" must not be empty'),
    refused("disconnect without id", {"command": "disconnect"}, 'field "id" is missing'),
    refused("send_raw without message", SEND, 'field "message" is missing'),
    refused("a message with a bad character", SEND | {"message": "a*=="}, 'field "message" is no base64'),
    refused("a message without padding", SEND | {"message": "YQ"}, 'field "message" is no base64'),
    refused("a message with white space", SEND | {"message": "YW\nFh"}, 'field "message" is no base64'),
    refused("a message padded too much", SEND | {"message": "Y==="}, 'field "message" is no base64'),
    refused("a message in the URL alphabet", SEND | {"message": "_-8="}, 'field "message" is no base64'),
    refused(
        "secrets as a number",
        SEND | {"message": "", "secrets": 1},
        'field "secrets" must be a boolean, not a number',
    ),
    refused(
        "replay as text",
        SEND | {"message": "", "replay": "no"},
        'field "replay" must be a boolean, not a string',
    ),
]


def event(data: object, **attributes: object) -> str:
    """A command event as a host hands it over."""
    members = {"specversion": "1.0", "id": "e-1", "source": "urn:test", "type": "command", "data": data}
    return json.dumps(members | attributes)
