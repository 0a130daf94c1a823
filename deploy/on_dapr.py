"""The platform on Dapr: Redis, a sidecar for each app of a run file, and our services behind theirs."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy._cache import MissingError
from deploy.get_daprd import find_daprd
from deploy.processes import Process, answers, free_port, is_free
from deploy.redis_server import redis_process, speaks_redis
from deploy.run_file import SERVICES, App
from deploy.sidecars import COMPONENTS, Sidecar, daprd
from virtufin_examples.errors import PreconditionError, UnavailableError

USUAL_REDIS = "localhost:6379"
USUAL_PORTS = {"gateway": (5002, 5001), "workmanager": (25002, 25001), "websocketmanager": (15002, 15001)}
"""gRPC and HTTP, as in `virtufin_examples.settings`."""

Say = Callable[[str], None]


@dataclass
class Service:
    """One of our services behind its sidecar; it may be ended and started again on the same ports."""

    name: str
    process: Process
    grpc: str
    http: str

    def is_ready(self) -> bool:
        """Whether it says so."""
        return answers(f"http://{self.http}/health/ready")

    def start(self) -> None:
        """Start it; returns when it is ready."""
        self.process.start(self.is_ready)


@dataclass
class OnDapr:
    """What runs: sidecars by app id, services by name. `redis_process` None: Redis is somebody else's."""

    redis: str
    redis_process: Process | None
    sidecars: Mapping[str, Sidecar]
    services: Mapping[str, Service]
    programs: Sequence[str]
    """App ids of the apps that are no service: theirs is a sidecar, and the program the caller's."""
    _started: list[Process] = field(default_factory=list)

    @property
    def gateway(self) -> str:
        """The gateway's gRPC address."""
        return self.services["gateway"].grpc

    @property
    def processes(self) -> tuple[Process, ...]:
        """All that were started here."""
        return tuple(self._started)

    def ended(self) -> Process | None:
        """Return one that has ended by itself, None while all run."""
        return next((process for process in self._started if process.status is not None), None)

    def start(self, say: Say, check: Callable[[], None]) -> None:
        """Start all of it: Redis, then the sidecars side by side, then the services side by side.

        `check` is called over and over while this waits, and may raise to give up.
        """
        if self.redis_process is not None:
            say(f"starting Redis on {self.redis}")
            host, _, port = self.redis.rpartition(":")
            self._spawn(self.redis_process)
            self._await(self.redis_process, lambda: speaks_redis(host, int(port)), check)
        say(f"starting {len(self.sidecars)} sidecars (daprd)")
        for sidecar in self.sidecars.values():
            self._spawn(sidecar.process)
        for sidecar in self.sidecars.values():
            self._await(sidecar.process, sidecar.is_ready, check)
        say(f"starting {', '.join(self.services)}")
        for service in self.services.values():
            self._spawn(service.process)
        for service in self.services.values():
            self._await(service.process, service.is_ready, check)

    def stop(self) -> None:
        """End all of it: services first, for they have something to flush, Redis last."""
        sidecars = [sidecar.process for sidecar in self.sidecars.values()]
        services = [service.process for service in self.services.values()]
        for group in (services, sidecars, [self.redis_process] if self.redis_process else []):
            for process in group:
                process.terminate()
            for process in group:
                process.end()
        self._started.clear()

    def _spawn(self, process: Process) -> None:
        self._started.append(process)
        process.spawn()

    @staticmethod
    def _await(process: Process, ready: Callable[[], bool], check: Callable[[], None]) -> None:
        def is_ready() -> bool:
            check()
            return ready()

        process.await_ready(is_ready)


def prepare(
    apps: Sequence[App],
    folder: Path,
    *,
    redis: str = "",
    secrets: Mapping[str, Mapping[str, str]] | None = None,
    free_ports: bool = True,
    directory: Path | None = None,
) -> OnDapr:
    """Return the platform, not started yet; logs and component files go to `folder`.

    `redis` (`host:port`) is one that runs already, otherwise one is started. `secrets` go into a secret store
    of the WebSocketManager's. The services run in `directory`, where they find their `.env`; by default here.
    `PreconditionError` for what is missing, `UnavailableError` for a port that is taken.
    """
    missing = [name for name in SERVICES if name not in {app.service for app in apps}]
    if missing:
        raise PreconditionError(
            f"the run file has no app whose command is virtufin {missing[0]}",
            hint="add it, or use deploy/dapr.yaml",
        )
    binary = _daprd()
    process, address = _redis(folder, redis)
    sidecars, services = {}, {}
    ports = {app.service: _ports(app.service, free=free_ports) for app in apps if app.service}
    resources = _write_resources(apps, folder, address, secrets or {})
    for app in apps:
        sidecar = sidecars[app.app_id] = daprd(
            app.app_id, folder / app.app_id, resources[app.app_id], binary=binary
        )
        if not app.service:
            continue
        grpc, http = ports[app.service]
        environment = _environment(ports, sidecar, folder)
        services[app.service] = Service(
            app.service,
            Process(
                app.service,
                [sys.executable, "-m", "virtufin_examples.cli", *app.command[1:], "--ephemeral"],
                folder,
                directory=directory or Path.cwd(),
                ends_with_stdin=True,
                environment={**app.environment, **environment},
            ),
            grpc=f"127.0.0.1:{grpc}",
            http=f"127.0.0.1:{http}",
        )
    programs = [app.app_id for app in apps if not app.service]
    return OnDapr(address, process, sidecars, services, programs)


@contextlib.contextmanager
def running_on_dapr(
    platform: OnDapr, *, say: Say = lambda _: None, check: Callable[[], None] = lambda: None
) -> Iterator[OnDapr]:
    """Run it for the block; whatever happens, nothing of it stays."""
    try:
        platform.start(say, check)
        yield platform
    finally:
        platform.stop()


def _daprd() -> Path:
    try:
        return find_daprd(build=False)
    except MissingError as error:
        raise PreconditionError(
            str(error),
            hint="`make daprd` builds it (once, about five minutes)",
        ) from None


def _redis(folder: Path, given: str) -> tuple[Process | None, str]:
    if given:
        host, _, port = given.rpartition(":")
        if not host or not port.isdigit() or not speaks_redis(host, int(port)):
            raise UnavailableError(
                f"no Redis answers at {given!r}",
                hint="start it there, correct --redis (host:port), or leave it out",
            )
        return None, given
    try:
        process, free = redis_process(folder)
    except MissingError as error:
        raise PreconditionError(str(error), hint="or name one that runs: --redis host:port") from None
    return process, f"127.0.0.1:{free}"


def _ports(service: str, *, free: bool) -> tuple[int, int]:
    if free:
        return free_port(), free_port()
    for port, kind in zip(USUAL_PORTS[service], ("gRPC", "HTTP"), strict=True):
        if not is_free(port):
            raise UnavailableError(
                f"{service}: {kind} port {port} is taken",
                hint="does another platform run? End it, or take free ports with --free-ports",
            )
    return USUAL_PORTS[service]


def _environment(ports: Mapping[str, tuple[int, int]], sidecar: Sidecar, folder: Path) -> dict[str, str]:
    """Return what tells a service where it and the others are."""
    found = {
        "DAPR_GRPC_ENDPOINT": sidecar.grpc,
        "DAPR_GRPC_PORT": sidecar.grpc.rpartition(":")[2],
        "DAPR_API_TOKEN": sidecar.token,
        "VIRTUFIN_HOST": "127.0.0.1",
        "VIRTUFIN_GATEWAY_ENDPOINT": f"127.0.0.1:{ports['gateway'][0]}",
        # The records that a spool belongs to are in Redis: it does not outlive them.
        "VIRTUFIN_SPOOL_DIR": str(folder / "spool"),
    }
    for service, (grpc, http) in ports.items():
        found[f"VIRTUFIN_{service.upper()}_GRPC_PORT"] = str(grpc)
        found[f"VIRTUFIN_{service.upper()}_HTTP_PORT"] = str(http)
    return found


def _write_resources(
    apps: Sequence[App], folder: Path, redis: str, secrets: Mapping[str, Mapping[str, str]]
) -> dict[str, Path]:
    """Copy each app's component files, with the address of this run's Redis; return their folders."""
    store = folder / "secrets.json"
    store.touch(mode=0o600)
    store.write_text(json.dumps(secrets))
    written = {}
    for app in apps:
        target = folder / app.app_id / "resources"
        target.mkdir(parents=True)
        for source in (file for place in app.resources for file in sorted(place.glob("*.y*ml"))):
            text = source.read_text("utf-8").replace(USUAL_REDIS, redis)
            (target / f"{source.parent.name}-{source.name}").write_text(text)
        text = (COMPONENTS / "local" / "secretstore.yaml").read_text("utf-8")
        (target / "secretstore.yaml").write_text(text.replace("secrets.json", str(store)))
        written[app.app_id] = target
    return written
