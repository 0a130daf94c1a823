"""An unmodified `dapr[fastapi]` service: PORT NOTES TOPIC."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import uvicorn
from dapr.ext.fastapi import DaprApp
from fastapi import Body, FastAPI

from tests.dapr.apps.behaviour import Behaviour

port, notes, topic = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
behaviour = Behaviour(notes)
app = FastAPI()
dapr_app = DaprApp(app)


def handle(handler: str, event: dict) -> str:
    if "data_base64" in event:
        data = base64.b64decode(event["data_base64"])
    elif isinstance(event["data"], str):
        data = event["data"].encode()
    else:
        data = json.dumps(event["data"]).encode()
    return behaviour.handle(handler, event["id"], event["topic"], event.get("datacontenttype", ""), data)


@dapr_app.subscribe(pubsub="pubsub", topic=topic, dead_letter_topic=f"dead.{topic}")
def on_event(event: dict = Body()) -> dict:  # noqa: B008 - FastAPI's way
    return {"status": handle("programmatic", event)}


@dapr_app.subscribe(pubsub="pubsub", topic=f"dead.{topic}", route="/dead")
def on_dead_letter(event: dict = Body()) -> None:  # noqa: B008
    handle("dead", event)


@dapr_app.subscribe(pubsub="pubsub", topic=f"{topic}.raw", metadata={"rawPayload": "true"})
def on_raw(event: dict = Body()) -> None:  # noqa: B008
    handle("raw", event)


@app.post("/declared")
def on_declared(event: dict = Body()) -> None:  # noqa: B008
    handle("declared", event)


@app.post("/bulk")
def on_bulk(envelope: dict = Body()) -> dict:  # noqa: B008
    return {
        "statuses": [
            {"entryId": entry["entryId"], "status": handle("bulk", entry["event"])}
            for entry in envelope["entries"]
        ]
    }


uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
