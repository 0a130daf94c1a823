"""`virtufin simulate alpaca|binance`: a venue without an account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from virtufin_examples.cli._outcome import print_json, run
from virtufin_examples.cli._services import AsJson, Ephemeral, Host
from virtufin_examples.simulated import SIMULATED_KEY, SIMULATED_SECRET

if TYPE_CHECKING:
    from virtufin_examples.simulators import AlpacaSimulator, BinanceSimulator

    Simulator = AlpacaSimulator | BinanceSimulator

Faults = Annotated[
    int | None,
    typer.Option("--faults", help="Make things go wrong at random; the same seed gives the same faults."),
]

simulate = typer.Typer(
    help="Run a simulator of a venue.", epilog="Example: virtufin simulate alpaca", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(simulate, name="simulate")


@simulate.callback()
def _group() -> None:
    """Run a simulator of a venue."""


@simulate.command(epilog="Example: virtufin simulate alpaca --port 8765 --rate 500 --seed 7")
def alpaca(
    host: Host = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="WebSocket port; 0 takes a free one.")] = 8765,
    rate: Annotated[float, typer.Option(min=0.1, help="Messages a second, all symbols together.")] = 100.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 1,
    faults: Faults = None,
    as_json: AsJson = False,
    ephemeral: Ephemeral = False,
) -> None:
    """Run the Alpaca simulator: stocks, crypto, options, news and trading streams."""

    async def work() -> None:
        from virtufin_examples.service import configure_logging
        from virtufin_examples.simulators import AlpacaSimulator

        configure_logging("simulator")
        simulator = AlpacaSimulator(
            host=host or "127.0.0.1",
            port=port,
            seed=seed,
            rate=rate,
            key=SIMULATED_KEY,
            secret=SIMULATED_SECRET,
            faults_seed=faults,
        )
        await _serve(
            simulator,
            lambda address: {
                "url": f"ws://{address}",
                "control": f"http://{simulator.control_address}",
                "key": SIMULATED_KEY,
                "secret": SIMULATED_SECRET,
                "seed": seed,
            },
            lambda address: (
                f"Alpaca simulator on ws://{address} (SIMULATED data, seed {seed}, {rate:g} messages/s)",
                f"key {SIMULATED_KEY}, secret {SIMULATED_SECRET}; control http://{simulator.control_address}",
            ),
            as_line=as_json or ephemeral,
            ephemeral=ephemeral,
        )

    run(work(), as_json=as_json)


@simulate.command(epilog="Example: virtufin simulate binance --port 8766 --rate 2000 --faults 7")
def binance(  # noqa: PLR0917 - typer calls it by keyword; each argument is an option
    host: Host = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of streams and snapshots; 0 takes a free one.")
    ] = 8766,
    rate: Annotated[float, typer.Option(min=0.1, help="Events a second of each market.")] = 100.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 1,
    recording: Annotated[
        Path | None, typer.Option(help="Play this .ws.txt recording (snapshots from .http.txt beside it).")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="How much faster than it was a recording is played; 0: at once.")
    ] = 1.0,
    faults: Faults = None,
    as_json: AsJson = False,
    ephemeral: Ephemeral = False,
) -> None:
    """Run the Binance simulator: spot and USD-M futures streams, depth snapshots, limits and bans."""

    async def work() -> None:
        from virtufin_examples.service import configure_logging
        from virtufin_examples.simulators import BinanceRecording, BinanceSimulator

        configure_logging("simulator")
        simulator = BinanceSimulator(
            host=host or "127.0.0.1",
            port=port,
            seed=seed,
            rate=rate,
            recording=BinanceRecording.load(recording) if recording is not None else None,
            speed=speed,
            faults_seed=faults,
        )
        what = f"recording {recording.name}" if recording is not None else f"seed {seed}, {rate:g} events/s"
        await _serve(
            simulator,
            lambda address: {
                "url": f"ws://{address}",
                "rest": f"http://{address}",
                "control": f"http://{simulator.control_address}",
                "seed": seed,
            },
            lambda address: (
                f"Binance simulator on ws://{address} (SIMULATED data, {what})",
                f"snapshots http://{address}/api/v3/depth; control http://{simulator.control_address}",
            ),
            as_line=as_json or ephemeral,
            ephemeral=ephemeral,
        )

    run(work(), as_json=as_json)


async def _serve(
    simulator: Simulator,
    line: Callable[[str], Mapping[str, object]],
    words: Callable[[str], Iterable[str]],
    *,
    as_line: bool,
    ephemeral: bool,
) -> None:
    """Run a simulator until it is stopped; once it listens, say so as a line of JSON or in words."""
    from virtufin_examples.service import run_until_stopped

    address = await simulator.start()
    try:
        if as_line:
            print_json(line(address))
        else:
            for text in words(address):
                typer.echo(text)
        await run_until_stopped(stdin_closes=ephemeral)
    finally:
        await simulator.stop()
