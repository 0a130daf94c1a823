"""Steps of opening and closing a feed, as they are reported."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from virtufin_examples.errors import VirtufinError


@dataclass(frozen=True, slots=True)
class Step:
    """One step that ended. `detail` is what came of it, `error` why it failed."""

    name: str
    ok: bool
    ms: float
    detail: str = ""
    error: str = ""


OnStep = Callable[[Step], None]


@dataclass(slots=True)
class StepNote:
    """Where the body of a step leaves what came of it."""

    detail: str = field(default="")


class Steps:
    """Times steps and reports each as it ends."""

    def __init__(self, report: OnStep | None, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._report = report
        self._clock = clock

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[StepNote]:
        """Run the body as one step; what it raises is reported and goes on."""
        note = StepNote()
        started = self._clock()
        error = ""
        try:
            yield note
        except asyncio.CancelledError:
            error = "interrupted"
            raise
        except VirtufinError as failure:
            error = str(failure)
            raise
        except BaseException as failure:
            error = repr(failure)
            raise
        finally:
            ms = (self._clock() - started) * 1000
            if self._report is not None:
                self._report(Step(name, not error, round(ms, 1), note.detail, error))
