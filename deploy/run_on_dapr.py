"""Runs the platform on Dapr and Redis, on this machine: `python -m deploy.run_on_dapr`.

It reads the run file that Dapr's CLI reads, `deploy/dapr.yaml`, and starts what is in it: our services, each
behind a daprd of its own, and a daprd for each further program, which is the caller's to start.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from deploy.on_dapr import OnDapr, prepare, running_on_dapr
from deploy.processes import remove_with_us
from deploy.run_file import RUN_FILE, load_run_file
from virtufin_examples.bus.embedded import secrets_from_environment
from virtufin_examples.cli._settings import secret_environment
from virtufin_examples.errors import InvalidInputError, UnavailableError, VirtufinError

DONE, FAILED, WRONG_USAGE = 0, 1, 2
_LOOK_SECONDS = 0.2


class _StoppedError(Exception):
    """A signal, or the end of stdin."""


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal; with --ephemeral until stdin closes. Returns the exit status."""
    options = _parse(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if options.ephemeral:
        threading.Thread(target=_await_end_of_stdin, args=(stop,), daemon=True).start()
    told = threading.Event()  # the addresses; whoever started us reads one line of stdout
    try:
        return _run(options, stop, told)
    except _StoppedError:
        return DONE
    except VirtufinError as error:
        _report(error, as_json=options.ephemeral and not told.is_set())
        return WRONG_USAGE if isinstance(error, InvalidInputError) else FAILED


def _run(options: argparse.Namespace, stop: threading.Event, told: threading.Event) -> int:
    def check() -> None:
        if stop.is_set():
            raise _StoppedError

    apps = load_run_file(options.run_file)
    with tempfile.TemporaryDirectory(prefix="virtufin-dapr-") as name:
        remove_with_us(Path(name))
        platform = prepare(
            apps,
            Path(name),
            redis=options.redis,
            secrets=secrets_from_environment(secret_environment()),
            free_ports=options.ephemeral or options.free_ports,
        )
        with running_on_dapr(platform, say=_say, check=check):
            _announce(platform, as_json=options.ephemeral)
            told.set()
            while not stop.wait(_LOOK_SECONDS):
                ended = platform.ended()
                if ended is not None:
                    _say(ended.log)  # first: what is read is the end
                    raise UnavailableError(f"{ended.name} ended with status {ended.status}")
    return DONE


def _announce(platform: OnDapr, *, as_json: bool) -> None:
    program = platform.sidecars[platform.programs[0]].grpc if platform.programs else ""
    if as_json:
        line = {name: service.grpc for name, service in platform.services.items()}
        print(json.dumps({**line, "runtime": program, "redis": platform.redis}), flush=True)
        return
    for name, service in platform.services.items():
        print(f"{name:<18} gRPC {service.grpc:<22} HTTP {service.http}")
    for app_id in platform.programs:
        print(f"{app_id:<18} daprd {platform.sidecars[app_id].grpc}")
    print(f"ready: export VIRTUFIN_API_URL={platform.gateway}", end="")
    print(f" DAPR_GRPC_ENDPOINT={program}; Ctrl-C stops it" if program else "; Ctrl-C stops it", flush=True)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.run_on_dapr",
        description="Run our services on Dapr and Redis on this machine, each behind a daprd of its own.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--run-file", type=Path, default=RUN_FILE, metavar="FILE", help="default deploy/dapr.yaml"
    )
    parser.add_argument(
        "--redis", default="", metavar="HOST:PORT", help="a Redis that runs; else one is started"
    )
    parser.add_argument("--free-ports", action="store_true", help="take free ports instead of the usual ones")
    parser.add_argument("--ephemeral", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _await_end_of_stdin(stop: threading.Event) -> None:
    # Not sys.stdin.buffer: its lock, held by a daemon thread, aborts the interpreter as it ends.
    while os.read(0, 4096):
        pass
    stop.set()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _report(error: VirtufinError, *, as_json: bool) -> None:
    if as_json:
        line = {"event": "error", "code": error.code, "message": error.message, "hint": error.hint}
        print(json.dumps(line), flush=True)
        return
    _say(f"error: {error.message}")
    if error.hint:
        _say(f"  fix: {error.hint}")


if __name__ == "__main__":
    sys.exit(main())
