"""Variants of the .NET worker that do less, to show that the worker does the work.

They are checked in under `assemblies/`; `python -m tests.workers.variants` builds them anew.
"""

from __future__ import annotations

from pathlib import Path

from workers import build

WITHOUT_SEND_RAW = Path(__file__).with_name("assemblies") / "without_send_raw.nupkg"
"""A package whose `send_raw` answers as ever and sends nothing: a feed stays unauthenticated."""

_CONTROLLER = "WebSocketManagerController/WebSocketManagerController.cs"
_SEND = "WebSockets.SendRaw(id, message, contentType, secrets, replay);"
_NOTHING = "System.GC.KeepAlive(new object[] { message, contentType, secrets, replay });"


def sources_without_send_raw() -> dict[str, str]:
    sources = build.read_sources()
    assert sources[_CONTROLLER].count(_SEND) == 1, "the call to empty is not there any more"
    return sources | {_CONTROLLER: sources[_CONTROLLER].replace(_SEND, _NOTHING)}


def rebuild() -> None:
    sources = sources_without_send_raw()
    assembly = build.compile_with_mcs(sources)
    WITHOUT_SEND_RAW.write_bytes(build.pack(assembly, build.hash_sources(sources)))


if __name__ == "__main__":
    rebuild()
