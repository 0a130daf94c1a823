"""Where the targets differ, and why: what the suite expects, and the table in `docs/dapr.md`."""

from __future__ import annotations

from dataclasses import dataclass

from tests.dapr.targets import PUBSUBS, Target


@dataclass(frozen=True)
class Difference:
    """What is asked, what each target answers (those that are not named: not asked), and the reason."""

    question: str
    answers: dict[Target, str]
    reason: str


def _answers(embedded: str, daprd: str, **others: str) -> dict[Target, str]:
    """Return the answers of the embedded runtime, of every daprd, and of those that differ among these."""
    given = dict.fromkeys(PUBSUBS, daprd) | {Target.EMBEDDED: embedded}
    return given | {Target[name.upper()]: answer for name, answer in others.items()}


DIFFERENCES = {
    "json": Difference(
        "JSON with an integer above 2^53",
        _answers("exact bytes", "written anew, rounded"),
        "daprd parses JSON into doubles (dapr#3837). Carry large integers as strings, or use another type",
    ),
    "json over HTTP": Difference(
        "a value with an integer above 2^53 that is saved over HTTP",
        {Target.EMBEDDED: "exact", Target.IN_MEMORY: "rounded", Target.REDIS: "rounded"},
        "daprd parses JSON into doubles; over gRPC a value is bytes and stays exact",
    ),
    "other types": Difference(
        "a content type other than JSON, text, XML, protobuf and bytes",
        _answers("exact bytes", "empty"),
        "daprd has no place for it. Name the schema as a parameter of application/octet-stream",
    ),
    "text that is not UTF-8": Difference(
        "text/plain that is not UTF-8", _answers("exact bytes", "damaged"), "a CloudEvent in JSON is text"
    ),
    "other types as JSON": Difference(
        "a content type other than JSON and bytes that is not UTF-8, to an app over HTTP",
        _answers("exact bytes", "damaged"),
        "a CloudEvent in JSON is text; the embedded runtime sends data_base64 instead",
    ),
    "12 MiB": Difference(
        "a message of 12 MiB",
        _answers("delivered", "delivered", jetstream="refused"),
        "NATS takes 1 MB a message by default (max_payload), and base64 adds a third: at most 700 kB",
    ),
    "other app id": Difference(
        "a message published by another app id",
        _answers("gets it", "gets it", in_memory="nothing"),
        "daprd's in-memory component lives in one sidecar; the embedded runtime serves all app ids",
    ),
    "same app id": Difference(
        "two subscriptions of one app id",
        _answers(
            "each gets all",
            "each gets all",
            redis="they share",
            kafka="the later one gets all",
        ),
        "an app id is a consumer group where the broker has groups; Kafka's component has one reader a topic",
    ),
    "before": Difference(
        "what was published before an app id's first subscription",
        _answers("gone", "gone", redis="delivered", kafka="delivered"),
        "Redis starts a group at the oldest entry, and so does Kafka by our component file",
    ),
    "in flight": Difference(
        "messages unanswered at once",
        _answers("many", "one"),
        "our component files keep the order, which on a broker costs a round trip a message",
    ),
    "retry": Difference(
        "what follows a message answered with RETRY",
        _answers("goes on", "waits"),
        "daprd tries again in place, by our Resiliency file; the embedded runtime has many in flight",
    ),
    "left": Difference(
        "what an ended subscription left unanswered, to the one that follows",
        _answers("not within 3 s", "not within 3 s", kafka="comes again"),
        "Redis hands it on after processingTimeout, behind newer ones; Kafka goes on where the group stood;"
        " elsewhere it is lost (embedded: unless the one that follows began before the other ended)",
    ),
    "anew": Difference(
        "the first message after a subscription began anew at the same sidecar",
        _answers("arrives", "arrives", redis="comes later"),
        "Redis gives it to the ended subscription's last read; it comes again after processingTimeout",
    ),
    "expiry": Difference(
        "when a value with a time to live expires, on reading it",
        {Target.EMBEDDED: "told", Target.IN_MEMORY: "told", Target.REDIS: "not told"},
        "state.redis does not look it up",
    ),
    "first write": Difference(
        "the status of a first write that finds a value",
        {Target.EMBEDDED: "ABORTED", Target.IN_MEMORY: "ABORTED", Target.REDIS: "INTERNAL"},
        "state.redis knows a conflict only where an etag was given; our bus raises ConflictError everywhere",
    ),
    "last write": Difference(
        "a write without an etag to a key that began with a first write",
        {Target.EMBEDDED: "written", Target.IN_MEMORY: "written", Target.REDIS: "INTERNAL"},
        "state.redis marks such a key for good: write to it with its etag",
    ),
}


def expected(key: str, target: Target) -> str:
    """Return what a target answers; strict is as daprd in memory."""
    return DIFFERENCES[key].answers[Target.IN_MEMORY if target is Target.STRICT else target]


def table() -> str:
    """Return the table as it stands in `docs/dapr.md`."""
    rows = [["", *PUBSUBS, "why"], ["---"] * (len(PUBSUBS) + 2)]
    rows += [
        [entry.question, *(entry.answers.get(target, "") for target in PUBSUBS), entry.reason]
        for entry in DIFFERENCES.values()
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
