"""A sidecar of each kind: the embedded runtime, and daprd with the component files that are deployed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from deploy.processes import Process, free_port
from deploy.sidecars import Resources, Sidecar, daprd, started

__all__ = ["Resources", "Sidecar", "daprd", "embedded", "started"]


def embedded(app_id: str, folder: Path, *, token: str = "") -> Sidecar:
    """Return an embedded runtime, in a process of its own, that is not started yet."""
    folder.mkdir(parents=True, exist_ok=True)
    grpc_port, http_port = free_port(), free_port()
    options = {"app_id": app_id, "grpc_port": grpc_port, "http_port": http_port, "api_token": token}
    command: list[str | Path] = [sys.executable, "-m", "tests.dapr.serve_embedded", json.dumps(options)]
    root = str(Path(__file__).resolve().parents[2])
    process = Process(f"embedded-{app_id}", command, folder, environment={"PYTHONPATH": root})
    return Sidecar(app_id, process, f"127.0.0.1:{grpc_port}", f"127.0.0.1:{http_port}", token)
