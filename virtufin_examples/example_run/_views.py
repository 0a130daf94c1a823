"""How a run is shown: JSON lines, a line a frame, or a table in place."""

from __future__ import annotations

import collections
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from virtufin_examples.client import FeedInfo, FeedSettings, Step
from virtufin_examples.errors import VirtufinError
from virtufin_examples.example_run._edits import SymbolsChanged
from virtufin_examples.example_run._header import Header, header_lines, learned_lines
from virtufin_examples.example_run._json import (
    frame_event,
    gap_event,
    health_event,
    refused_event,
    step_event,
    summary_event,
    symbols_event,
)
from virtufin_examples.example_run._lines import change_line, event_line, frame_line, refused_line
from virtufin_examples.example_run._market import Market
from virtufin_examples.example_run._options import View
from virtufin_examples.example_run._output import Output
from virtufin_examples.example_run._quiet import Quiet
from virtufin_examples.example_run._reading import reader_for
from virtufin_examples.example_run._summary import Summary, summary_lines
from virtufin_examples.frames import Frame, Gap, Item, Restored, Silent, Stale

if TYPE_CHECKING:
    from rich.console import RenderableType

TICK_SECONDS = 0.25
_NOTES = 5
_CHROME_LINES = 12  # of a terminal, that are not rows: title, header, notes, a margin


class RunView(Protocol):
    """What a run tells its view, in this order; `item` is called for every item and must be quick."""

    def progress(self, text: str) -> None:
        """On the way to the end of a step that takes long."""

    def header(self, header: Header) -> None:
        """Before the first step."""

    def step(self, step: Step) -> None:
        """A step has ended."""

    def live(self, info: FeedInfo) -> None:
        """Data begin, of a feed of which everything is known now."""

    def item(self, item: Item) -> None:
        """Data."""

    def tick(self) -> None:
        """Every quarter of a second while live."""

    def changed(self, change: SymbolsChanged) -> None:
        """Symbols were added or removed."""

    def refused(self, error: VirtufinError) -> None:
        """An edit of the settings was refused."""

    def ended(self) -> None:
        """Data have ended; steps of ending follow."""

    def summary(self, summary: Summary) -> None:
        """Last."""


class JsonView:
    """JSON lines only. What has no line of its own goes to the log, which is stderr."""

    def __init__(self, output: Output, log: Callable[[str], object]) -> None:
        self._output = output
        self._log = log

    def progress(self, text: str) -> None:
        """Nothing: the steps tell."""

    def header(self, header: Header) -> None:
        """Nothing: the summary says it."""

    def step(self, step: Step) -> None:
        """Print the step."""
        self._write(step_event(step))
        if step.error:
            self._log(f"{step.name}: {step.error}")

    def live(self, info: FeedInfo) -> None:
        """Nothing: the summary says it."""

    def item(self, item: Item) -> None:
        """Print it."""
        if isinstance(item, Frame):
            self._write(frame_event(item))
        elif isinstance(item, Gap):
            self._write(gap_event(item))
        elif isinstance(item, (Stale, Restored, Silent)):
            self._write(health_event(item))
        else:
            self._log(event_line(item))

    def tick(self) -> None:
        """Nothing."""

    def changed(self, change: SymbolsChanged) -> None:
        """Print it."""
        self._write(symbols_event(change))

    def refused(self, error: VirtufinError) -> None:
        """Print it."""
        self._write(refused_event(error))

    def ended(self) -> None:
        """Nothing."""

    def summary(self, summary: Summary) -> None:
        """Print the summary."""
        self._write(summary_event(summary))

    def _write(self, event: dict[str, object]) -> None:
        self._output.line(msgspec.json.encode(event).decode())


class LinesView:
    """Header and numbered steps, then a line a frame."""

    def __init__(self, output: Output, settings: FeedSettings) -> None:
        self._output = output
        self.market = Market(settings.symbols, reader_for(settings))
        self._steps = 0
        self._header: Header | None = None
        self._quiet = Quiet(time.monotonic_ns())

    def progress(self, text: str) -> None:
        """Print it on stderr."""
        sys.stderr.write(f"      {text}\n")

    def header(self, header: Header) -> None:
        """Print the header; the steps that come after it have numbers."""
        for line in ("", *header_lines(header), ""):
            self._output.line(line)
        self._header = header

    def step(self, step: Step) -> None:
        """Print the step with its number, outcome and time."""
        number = ""
        if self._header is not None:
            self._steps += 1
            number = str(self._steps)
        outcome = "ok" if step.ok else "FAILED"
        line = f"{number:>4}  {step.name:<20}{outcome:<7}{step.ms:>6.0f} ms"
        self._output.line(f"{line}  {step.detail}".rstrip())
        if step.error:
            self._output.line(f"      {step.error}")

    def live(self, info: FeedInfo) -> None:
        """Print what the header could not say yet, and set the data off from the steps."""
        if self._header is not None:
            engine = f"{info.engine} on {info.worker.runtime}"
            for line in learned_lines(self._header, simulated=info.simulated, engine=engine):
                self._output.line(line)
        self._output.line("")
        self._quiet.frame(time.monotonic_ns())

    def item(self, item: Item) -> None:
        """Print a line."""
        if isinstance(item, Frame):
            self._quiet.frame(time.monotonic_ns())
            self._output.line(frame_line(item, self.market.add(item)))
        else:
            self.note(event_line(item))

    def tick(self) -> None:
        """Tell a silence."""
        if line := self._quiet.line(time.monotonic_ns()):
            self.note(line)

    def changed(self, change: SymbolsChanged) -> None:
        """Print a line; rows come and go."""
        self.market.change(change.added, change.removed)
        self.note(change_line(change))

    def refused(self, error: VirtufinError) -> None:
        """Print a line."""
        self.note(refused_line(error))

    def note(self, line: str) -> None:
        """Print a line of its own."""
        self._output.line(f"{'':>8}  {line}")

    def ended(self) -> None:
        """Set the steps off from the data."""
        self._output.line("")

    def summary(self, summary: Summary) -> None:
        """Print the summary."""
        for line in ("", *summary_lines(summary)):
            self._output.line(line)


class TableView(LinesView):
    """Header and numbered steps, then a table in place."""

    def __init__(self, output: Output, settings: FeedSettings) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
        from rich.live import Live  # noqa: PLC0415 - the same

        super().__init__(output, settings)
        self._title = ""
        self._settings = settings
        self._notes: collections.deque[str] = collections.deque(maxlen=_NOTES)
        self._console = Console()
        self._display = Live(console=self._console, auto_refresh=False, transient=True)

    def live(self, info: FeedInfo) -> None:
        """Put the table on the screen."""
        super().live(info)
        settings = info.settings
        mark = "SIMULATED  " if info.simulated else ""
        self._title = f"{mark}{settings.venue.title} {settings.channel} on {settings.topic}"
        self._display.start()

    def item(self, item: Item) -> None:
        """Take it in; the next tick shows it."""
        if isinstance(item, Frame):
            self._quiet.frame(time.monotonic_ns())
            for message in self.market.add(item):
                if not message.symbol:  # a control message
                    self._notes.append(f"#{item.sequence} {message.type} {message.text}")
            return
        if isinstance(item, Gap):
            self.market.add_gap(item)
        self.note(event_line(item))

    def tick(self) -> None:
        """Draw the table."""
        super().tick()
        self.market.measure_rates(time.time_ns())
        self._draw()

    def ended(self) -> None:
        """Leave the whole table on the screen, in place of the page that was there."""
        self._display.stop()
        self._console.print(self._table(height=None))
        super().ended()

    def note(self, line: str) -> None:
        """Show it below the table."""
        self._notes.append(line)

    def _draw(self) -> None:
        height = max(5, self._console.height - _CHROME_LINES)
        self._display.update(self._table(height=height), refresh=True)

    def _table(self, *, height: int | None) -> RenderableType:
        from virtufin_examples.example_run._table import market_table  # noqa: PLC0415 - rich, as above

        return market_table(
            self.market.rows,
            title=self._title,
            settings=self._settings,
            now_ns=time.time_ns(),
            height=height,
            notes=self._notes,
        )


def choose_view(wanted: View | None, settings: FeedSettings, output: Output) -> RunView:
    """Return the view that was asked for; by default a table in a terminal and lines elsewhere."""
    if wanted is View.JSON:
        return JsonView(output, log=lambda text: sys.stderr.write(text + "\n"))
    if wanted is View.TABLE or (wanted is None and sys.stdout.isatty()):
        return TableView(output, settings)
    return LinesView(output, settings)
