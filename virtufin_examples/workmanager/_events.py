"""CloudEvents on their way to a worker and back. Pure: ids are arguments."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from virtufin_examples.bus import Event
from virtufin_examples.errors import WorkerError
from virtufin_examples.workmanager._validation import is_attribute_name

SPEC_VERSION = "1.0"
UNKNOWN = "unknown"  # a type or source that the event lacks
DEAD_SUFFIX = "-dead"

_CONTEXT = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema")


@dataclass(frozen=True, slots=True)
class Output:
    """A worker's answer, ready for the bus: a structured CloudEvent."""

    topic: str
    data: bytes


def to_worker(event: Event, config: Mapping[str, str]) -> bytes:
    """Return the event as JSON for a worker, stamped with its config; the event's own attribute wins."""
    return msgspec.json.encode({**config, **_as_json(event)})


def _as_json(event: Event) -> dict[str, object]:
    return {
        **event.extensions,
        "specversion": SPEC_VERSION,
        "id": event.id,
        "source": event.source or UNKNOWN,
        "type": event.type or UNKNOWN,
        "datacontenttype": event.content_type,
        **_data(event),
    }


def _data(event: Event) -> dict[str, object]:
    if not event.data:
        return {}
    media_type = event.content_type.partition(";")[0].strip().lower()
    try:
        if media_type == "application/json" or media_type.endswith("+json"):
            return {"data": msgspec.json.decode(event.data)}
        if media_type.startswith("text/"):
            return {"data": event.data.decode()}
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # not what the content type says: the worker gets the bytes
    return {"data_base64": base64.b64encode(event.data).decode()}


def from_worker(answer: bytes, event: Event, *, worker_id: str, new_id: str) -> Output:
    """Return what to publish for a worker's answer.

    The topic is the event's `replytopic`, else the answer's `type`; `correlationid` is copied when the
    answer lacks it. `WorkerError` when the answer is no CloudEvent that can be published.
    """
    fields = msgspec.json.decode(answer, type=dict[str, object])
    topic = event.extensions.get("replytopic") or fields.get("type")
    if not isinstance(topic, str) or not topic:
        raise WorkerError(
            f"the worker's answer has type {fields.get('type')!r}",
            hint="its type names the topic to publish to",
        )
    for name in fields:
        if name not in (*_CONTEXT, "data", "data_base64") and not is_attribute_name(name):
            raise WorkerError(
                f"the worker's answer has an attribute {name!r}",
                hint="use lower-case letters and digits only",
            )
    fields["type"] = topic
    fields["specversion"] = SPEC_VERSION
    fields.setdefault("id", new_id)
    fields.setdefault("source", f"urn:com.virtufin.workmanager.worker:{worker_id}")
    if "data" in fields:
        is_text = isinstance(fields["data"], str)
        fields.setdefault("datacontenttype", "text/plain" if is_text else "application/json")
    correlation = event.extensions.get("correlationid")
    if correlation is not None:
        fields.setdefault("correlationid", correlation)
    return Output(topic, msgspec.json.encode(fields))


def dead_letter(event: Event) -> Output | None:
    """Return the original event for `<topic>-dead`; None when it may hold a secret in the clear.

    A `send_raw` without `"secrets": true` goes verbatim and lives in memory only, so it is never
    dead-lettered (architecture, "Secrets").
    """
    if _is_verbatim_send(event.data):
        return None
    return Output(event.topic + DEAD_SUFFIX, msgspec.json.encode(_as_json(event)))


def _is_verbatim_send(data: bytes) -> bool:
    try:
        command = msgspec.json.decode(data)
    except msgspec.MsgspecError:
        return False
    if not isinstance(command, dict):
        return False
    return str(command.get("command")).lower() == "send_raw" and command.get("secrets") is not True


def is_expired(event: Event, now: datetime) -> bool:
    """Whether the broker stamped the event with a time to live that is over.

    Dapr writes it as the attribute `expiration` (RFC 3339) where the broker has no expiry of its own.
    """
    stamp = event.extensions.get("expiration")
    if not isinstance(stamp, str):
        return False
    try:
        end = datetime.fromisoformat(stamp)
    except ValueError:
        return False
    return end.tzinfo is not None and end <= now
