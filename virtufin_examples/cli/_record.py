"""`virtufin record TOPIC FILE` and `virtufin replay FILE`."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from virtufin_examples.cli._credit import CreditReader
from virtufin_examples.cli._gateway_client import AsJson, Gateway
from virtufin_examples.cli._outcome import print_json, run
from virtufin_examples.cli._progress import Progress
from virtufin_examples.errors import InvalidInputError

if TYPE_CHECKING:
    from virtufin_examples.client import Pace, Recorded, Replayed
    from virtufin_examples.frames import Encoding

Dapr = Annotated[
    str | None,
    typer.Option(help="The sidecar, host:port (default: DAPR_GRPC_ENDPOINT, else the gateway names it)."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: virtufin record alpaca-ticks ticks.rec --seconds 60")(record)
    app.command(epilog="Example: virtufin replay ticks.rec --speed 1")(replay)


def record(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    file: Annotated[Path, typer.Argument(help="The recording; one that is there is continued.")],
    count: Annotated[int, typer.Option(min=0, help="End after so many frames; 0: never.")] = 0,
    seconds: Annotated[float, typer.Option(min=0, help="End after so long; 0: never.")] = 0,
    dapr: Dapr = None,
    gateway: Gateway = None,
    as_json: AsJson = False,
) -> None:
    """Record what a topic carries, until Ctrl-C: frames, times, epochs, numbers and markers, exactly."""

    async def work() -> None:
        from virtufin_examples.client import record as record_topic

        stop = asyncio.Event()
        _on_signals(stop.set)
        with Progress(as_json=as_json) as progress:

            def show(now: Recorded) -> None:
                if progress.begin() and as_json:
                    print_json({"event": "recording", "topic": topic, "file": str(file)})
                progress.show(
                    lambda: f"{now.frames} frames, {now.gaps} gaps, {now.size_bytes / 1e6:.1f} MB in {file}"
                )

            done = await record_topic(
                topic,
                file,
                dapr=dapr,
                api=gateway,
                count=count,
                seconds=seconds,
                stop=stop,
                on_progress=show,
            )
        _tell_recorded(done, as_json=as_json)

    run(work(), as_json=as_json)


def replay(
    file: Annotated[Path, typer.Argument(help="The recording.")],
    topic: Annotated[str, typer.Option(help="Default: the recorded topic with -replay behind it.")] = "",
    encoding: Annotated[str, typer.Option(help="frame or batch.")] = "batch",
    speed: Annotated[
        float, typer.Option(help="1: real time, 10: ten times as fast; 0: as fast as the bus takes it.")
    ] = 0.0,
    credit: Annotated[
        bool,
        typer.Option("--credit", help="Publish so many items as the lines of stdin grant, one number each."),
    ] = False,
    dapr: Dapr = None,
    gateway: Gateway = None,
    as_json: AsJson = False,
) -> None:
    """Publish a recording onto a topic. Its messages carry the source urn:com.virtufin.replay."""

    async def work() -> None:
        from virtufin_examples.client import open_replay

        with Progress(as_json=as_json) as progress:

            def show(now: Replayed) -> None:
                share = now.read_bytes / now.size_bytes if now.size_bytes else 1.0
                progress.show(lambda: f"{share:4.0%}  {now.frames} frames, {_moment(now.position_ns)}")

            async with open_replay(
                file,
                topic=topic,
                encoding=_encoding(encoding),
                pace=_pace(speed, on_credit=credit),
                dapr=dapr,
                api=gateway,
                on_progress=show,
            ) as playing:
                _on_signals(playing.stop)
                reader = CreditReader(playing) if credit else None
                done = await playing.run()
                if reader is not None and reader.error is not None:
                    raise reader.error
        _tell_replayed(done, as_json=as_json)

    run(work(), as_json=as_json)


def _encoding(name: str) -> Encoding:
    from virtufin_examples.frames import Encoding

    if name not in {item.value for item in Encoding}:
        raise InvalidInputError(f"--encoding is {name!r}", hint="choose frame or batch")
    return Encoding(name)


def _pace(speed: float, *, on_credit: bool) -> Pace:
    from virtufin_examples.client import AtOnce, OnCredit, Timed

    if on_credit:
        if speed:
            raise InvalidInputError("--credit and --speed exclude each other", hint="leave one out")
        return OnCredit()
    return Timed(speed) if speed else AtOnce()


def _tell_recorded(done: Recorded, *, as_json: bool) -> None:
    import msgspec

    if done.repaired_bytes:
        typer.echo(
            f"repaired {done.path}: cut off {done.repaired_bytes} bytes of an unfinished record "
            f"at offset {done.repaired_at}",
            err=True,
        )
    if as_json:
        print_json({"event": "recorded", **msgspec.to_builtins(done)})
        return
    typer.echo(
        f"recorded {done.frames} frames and {done.markers} markers ({done.gaps} gaps) of {done.topic} "
        f"into {done.path} ({done.size_bytes} bytes)"
    )
    if done.replayed:
        typer.echo(f"note: {done.replayed} messages were a replay's, not live")


def _tell_replayed(done: Replayed, *, as_json: bool) -> None:
    import msgspec

    if done.torn_bytes:
        typer.echo(
            f"{done.path}: left out {done.torn_bytes} bytes of an unfinished record "
            f"at offset {done.read_bytes}",
            err=True,
        )
    if as_json:
        print_json({"event": "replayed", **msgspec.to_builtins(done)})
        return
    how = "to its end" if done.whole else f"up to {_moment(done.position_ns)} (no clean end)"
    typer.echo(
        f"replayed {done.frames} frames and {done.markers} markers of {done.path} onto {done.topic} {how}"
    )


def _moment(unix_ns: int) -> str:
    if not unix_ns:
        return "its beginning"
    return dt.datetime.fromtimestamp(unix_ns // 1_000_000_000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _on_signals(stop: Callable[[], None]) -> None:
    """Let Ctrl-C and SIGTERM end the work, not the program: the file is closed, the end is told."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(stop))
        else:
            loop.add_signal_handler(number, stop)
