"""`virtufin subscribe TOPIC`: a topic's messages as they come.

Through the sidecar that the environment names, as its app id; else through the gateway's broadcast, which
takes nobody's frames.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from virtufin_examples.cli._gateway_client import AsJson, Gateway, api_client
from virtufin_examples.cli._outcome import print_json, run
from virtufin_examples.errors import InvalidInputError

if TYPE_CHECKING:
    from virtufin_examples.bus import Event
    from virtufin_examples.client import CloudEvent


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: virtufin subscribe alpaca-ticks --count 10")(subscribe)


def subscribe(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    count: Annotated[int, typer.Option(min=0, help="End after so many messages; 0: never.")] = 0,
    gateway: Gateway = None,
    as_json: AsJson = False,
) -> None:
    """Print what a topic carries, until Ctrl-C.

    Through the sidecar that DAPR_GRPC_ENDPOINT or DAPR_GRPC_PORT names, unless --gateway is given; a program
    that reads the topic as the same app id then shares its messages with this one.
    """

    async def work() -> None:
        if not topic or any(character.isspace() for character in topic):
            raise InvalidInputError(f"topic is {topic!r}", hint="name a topic: no white space, not empty")
        seen = 0
        async with aclosing(_events(topic, gateway)) as events:
            async for event in events:
                _print(topic, event, as_json=as_json)
                seen += 1
                if seen == count:
                    return

    run(work(), as_json=as_json)


async def _events(topic: str, gateway: str | None) -> AsyncGenerator[Event | CloudEvent, None]:
    from virtufin_examples.client import own_sidecar, sidecar_events

    sidecar = None if gateway else own_sidecar()
    if sidecar is not None:
        async with aclosing(sidecar_events(sidecar, topic)) as events:
            async for event in events:
                yield event
    else:
        async with api_client(gateway) as api, await api.subscribe(topic) as tap:
            async for broadcast in tap:
                yield broadcast


def _print(topic: str, event: Event | CloudEvent, *, as_json: bool) -> None:
    from virtufin_examples.frames import Frame, decode_message, note_dict

    try:
        items = decode_message(topic, event.type, event.content_type, event.data, event.extensions)
    except InvalidInputError:  # a topic that no WebSocketManager publishes to, such as a lifecycle topic
        _print_event(topic, event, as_json=as_json)
        return
    for item in items:
        kind = type(item).__name__.lower()
        if not isinstance(item, Frame):
            if as_json:
                print_json({"event": kind, **note_dict(item)})
            else:
                typer.echo(f"{kind}: {note_dict(item)}")
        elif as_json:
            print_json(
                {
                    "event": kind,
                    "topic": topic,
                    "connection_id": item.connection_id,
                    "epoch": item.epoch,
                    "sequence": item.sequence,
                    "received_ns": str(item.received_ns),
                    "data": _data(item.data),
                }
            )
        else:
            typer.echo(f"{item.sequence:>8}  {_readable(item.data)}")


def _print_event(topic: str, event: Event | CloudEvent, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "event": "message",
                "topic": topic,
                "id": event.id,
                "type": event.type,
                "data": _data(event.data),
            }
        )
    else:
        typer.echo(f"{event.type}: {_readable(event.data)}")


def _data(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _readable(data: bytes) -> str:
    text = _data(data)
    return text if isinstance(text, str) else f"<{len(data)} bytes, binary>"
