"""A daprd as a child process, with the component files that are deployed."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.get_daprd import find_daprd
from deploy.processes import Process, answers, free_port

COMPONENTS = Path(__file__).parent / "components"
MAX_BODY = "16Mi"


@dataclass
class Sidecar:
    """One sidecar; it may be ended and started again on the same ports."""

    app_id: str
    process: Process
    grpc: str
    http: str
    token: str = ""

    def start(self) -> None:
        """Start it; returns when an SDK client would go on."""
        self.process.start(self.is_ready)

    def is_ready(self) -> bool:
        """Whether components and API are up."""
        return answers(f"http://{self.http}/v1.0/healthz/outbound")

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it."""
        self.process.end(number)


@dataclass
class Resources:
    """Component files with the addresses of this run, and with settings that a test needs shorter."""

    folder: Path
    files: tuple[str, ...]
    replace: dict[str, str] = field(default_factory=dict)

    def write(self) -> Path:
        """Write them; a text that is to be replaced must be there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in self.files:
            text = (COMPONENTS / name).read_text()
            for old, new in self.replace.items():
                text = text.replace(old, new)
            (self.folder / name.replace("/", "-")).write_text(text)
        return self.folder


def daprd(
    app_id: str,
    folder: Path,
    resources: Path,
    *,
    token: str = "",
    binary: Path | None = None,
    grpc_port: int = 0,
    http_port: int = 0,
    options: Sequence[str] = (),
) -> Sidecar:
    """Return a daprd that is not started yet; port 0 is a free one, without `binary` it is looked for.

    `resources` is the folder of its component files; its log goes to `folder`. `options` are further ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    grpc_port, http_port = grpc_port or free_port(), http_port or free_port()
    command: list[str | Path] = [
        binary or find_daprd(),
        *("--app-id", app_id),
        *("--dapr-grpc-port", str(grpc_port)),
        *("--dapr-http-port", str(http_port)),
        *("--dapr-internal-grpc-port", str(free_port())),
        *("--dapr-internal-grpc-listen-address", "127.0.0.1"),
        *("--dapr-listen-addresses", "127.0.0.1"),
        *("--max-body-size", MAX_BODY),
        *("--dapr-graceful-shutdown-seconds", "1"),
        *("--resources-path", resources),
        "--enable-metrics=false",
        *options,
    ]
    # Without NAMESPACE and the like of the caller's; an empty token switches the check off.
    environment = {"DAPR_API_TOKEN": token, "NAMESPACE": ""}
    process = Process(f"daprd-{app_id}", command, folder, environment=environment)
    return Sidecar(app_id, process, f"127.0.0.1:{grpc_port}", f"127.0.0.1:{http_port}", token)


@contextlib.contextmanager
def started(sidecar: Sidecar) -> Iterator[Sidecar]:
    """Run a sidecar for the block."""
    sidecar.start()
    try:
        yield sidecar
    finally:
        sidecar.end()
