"""A sidecar of each kind: the embedded runtime, and daprd with the component files that are deployed."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.processes import Process, free_port
from deploy.sidecars import Resources, Sidecar, daprd, started

__all__ = ["AppPort", "Resources", "Sidecar", "daprd", "embedded", "started"]


@dataclass(frozen=True)
class AppPort:
    """Where a sidecar finds its app, and resource files of the app's by name."""

    port: int
    protocol: str
    resources: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> tuple[str, ...]:
        """daprd's."""
        return ("--app-port", str(self.port), "--app-protocol", self.protocol)

    def write(self, folder: Path) -> Path:
        """Write the resources."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.resources.items():
            (folder / name).write_text(text)
        return folder


def embedded(
    app_id: str, folder: Path, *, token: str = "", strict: bool = False, app: AppPort | None = None
) -> Sidecar:
    """Return an embedded runtime, in a process of its own, that is not started yet."""
    folder.mkdir(parents=True, exist_ok=True)
    grpc_port, http_port = free_port(), free_port()
    options = {"app_id": app_id, "grpc_port": grpc_port, "http_port": http_port, "api_token": token}
    options["strict"] = strict
    if app is not None:
        options |= {"app_port": app.port, "app_protocol": app.protocol}
        options["resources_path"] = str(app.write(folder / "resources"))
    command: list[str | Path] = [sys.executable, "-m", "tests.dapr.serve_embedded", json.dumps(options)]
    root = str(Path(__file__).resolve().parents[2])
    process = Process(f"embedded-{app_id}", command, folder, environment={"PYTHONPATH": root})
    return Sidecar(app_id, process, f"127.0.0.1:{grpc_port}", f"127.0.0.1:{http_port}", token)
