"""What is stored of a worker. Code that came from a URL is stored as bytes too: recovery fetches nothing."""

from __future__ import annotations

import msgspec

FORMAT_VERSION = 1


class HistoryItem(msgspec.Struct, frozen=True):
    """One version of a worker's code. `url` has no user info and no query: they may be credentials."""

    sha256: str
    created_at: str
    url: str = ""


class WorkerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A worker as stored under `workmanager.worker.<id>`. Times are RFC 3339."""

    id: str
    mime_type: str
    language: str
    topic: str
    created_at: str
    code: bytes
    history: tuple[HistoryItem, ...]
    config: dict[str, str] = {}
    tags: dict[str, str] = {}
    lease_seconds: int = 0
    running: bool = False
    format_version: int = FORMAT_VERSION

    @property
    def command_topic(self) -> str:
        """The topic that is this worker's alone."""
        return f"{self.topic}.{self.id}"

    @property
    def code_sha256(self) -> str:
        """Hash of the code in use, in hex."""
        return self.history[-1].sha256
