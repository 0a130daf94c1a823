"""What the apps of the suite do with an event: note it, and answer as its data say."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from pathlib import Path


class Behaviour:
    """`retry 2` is answered with RETRY twice, `raise 1` raises once, `drop` is DROP, all else SUCCESS."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def handle(self, handler: str, event_id: str, topic: str, content_type: str, data: bytes) -> str:
        """Return SUCCESS, RETRY or DROP."""
        note = {"handler": handler, "id": event_id, "topic": topic, "type": content_type}
        note["data"] = base64.b64encode(data).decode()
        with self._lock:
            self._seen[event_id] += 1
            seen = self._seen[event_id]
            with self._notes.open("a") as notes:
                notes.write(json.dumps(note) + "\n")
        if topic.startswith("dead."):
            return "SUCCESS"
        word, _, times = data.decode(errors="replace").partition(" ")
        if word == "drop":
            return "DROP"
        if word in ("retry", "raise") and seen <= int(times):
            if word == "raise":
                raise ValueError("as asked for")
            return "RETRY"
        return "SUCCESS"
