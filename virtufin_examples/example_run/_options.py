"""The flags of an example script. Standard library only: `--help` must be instant."""

from __future__ import annotations

import argparse
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class Upstream(enum.StrEnum):
    """Where the data come from."""

    AUTO = "auto"
    LIVE = "live"
    SIMULATOR = "simulator"


class Platform(enum.StrEnum):
    """What a run starts where it is given no gateway."""

    EMBEDDED = "embedded"
    DAPR = "dapr"


class View(enum.StrEnum):
    """How data are shown."""

    TABLE = "table"
    LINES = "lines"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Options:
    """The flags as given. `frames` and `duration_seconds` None: until Ctrl-C. `view` None: by terminal."""

    settings: Path
    frames: int | None
    duration_seconds: float | None
    engine: str
    upstream: Upstream
    gateway: str
    view: View | None
    keep: bool
    platform: Platform = Platform.EMBEDDED
    faults: int | None = None


_EPILOG = """\
Without VIRTUFIN_API_URL and --gateway a platform is started for the run and ended with it; without keys of
the venue (Alpaca: ALPACA_API_KEY and ALPACA_API_SECRET) so is a simulator. Both can be set in .env.
Symbols that are added to the settings file, or taken out, while it runs are followed at once.

exit status: 0 it did what was asked, 1 a failure, 2 wrong usage

examples:
  {prog} --frames 50 --json
  {prog} --settings {settings} --view lines
  {prog} --upstream simulator --faults 7 --duration 600
"""


def parse(arguments: Sequence[str], *, prog: str, description: str, settings: Path) -> Options:
    """Read the flags; wrong ones end the program with status 2."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=_EPILOG.format(prog=prog, settings=f"settings/{settings.name}"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--settings", type=Path, default=settings, metavar="FILE", help=f"what to open (default {settings})"
    )
    parser.add_argument("--frames", type=_frames, metavar="N", help="end after N frames")
    parser.add_argument("--duration", type=_duration, metavar="S", help="end after S seconds of data")
    parser.add_argument(
        "--engine",
        choices=["auto", "dotnet", "python"],
        default="auto",
        help="what runs the worker; auto (default): .NET, or Python where there is no .NET",
    )
    parser.add_argument(
        "--upstream",
        choices=[str(member) for member in Upstream],
        default="auto",
        help="where data come from; auto (default): the venue where there are keys, else the simulator; "
        "never the simulator with a gateway of yours",
    )
    parser.add_argument("--gateway", default="", metavar="HOST:PORT", help="use this API gateway")
    parser.add_argument(
        "--platform",
        choices=[str(member) for member in Platform],
        default="embedded",
        help="what to start without a gateway; dapr: each service behind its own daprd, on Redis",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument(
        "--view",
        choices=[str(View.TABLE), str(View.LINES)],
        help="a table in place (default in a terminal) or a line a frame (default elsewhere)",
    )
    output.add_argument("--json", action="store_true", help="print JSON lines only")
    parser.add_argument("--keep", action="store_true", help="leave the feed running on the gateway")
    parser.add_argument(
        "--faults", type=int, metavar="SEED", help="have the simulator make things go wrong at random"
    )
    given = parser.parse_args(arguments)
    view = View.JSON if given.json else View(given.view) if given.view else None
    return Options(
        settings=given.settings,
        frames=given.frames,
        duration_seconds=given.duration,
        engine=given.engine,
        upstream=Upstream(given.upstream),
        gateway=given.gateway,
        view=view,
        keep=given.keep,
        platform=Platform(given.platform),
        faults=given.faults,
    )


def _frames(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least 1 is wanted")
    return number


def _duration(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: a number of seconds above 0 is wanted")
    return seconds
