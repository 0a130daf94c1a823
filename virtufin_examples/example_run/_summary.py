"""What a run comes to."""

from __future__ import annotations

from dataclasses import dataclass

from virtufin_examples.example_run._options import Upstream
from virtufin_examples.example_run._tally import Latency, Tally


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run. `platform`: `embedded`, `dapr` or a gateway's address; `kept`: the feed goes on."""

    run_id: str
    tally: Tally
    engine: str
    runtime: str
    platform: str
    simulated: bool
    kept: bool

    @property
    def upstream(self) -> str:
        """`live` or `simulator`."""
        return str(Upstream.SIMULATOR if self.simulated else Upstream.LIVE)


def summary_lines(summary: Summary) -> list[str]:
    """Return it as text, within 80 columns."""
    tally = summary.tally
    title = "Summary  SIMULATED data" if summary.simulated else "Summary"
    return [
        title,
        f"  frames    {tally.frames} in {tally.seconds:.1f} s, {tally.rate:.1f}/s",
        f"  gaps      {tally.gaps}, {tally.gap_ms:g} ms in all",
        f"  latency   {_latency(tally.latency())}",
        f"  engine    {summary.engine} on {summary.runtime}",
        f"  upstream  {summary.upstream}, platform {summary.platform}",
        f"  left      {_left(summary)}",
    ]


def _latency(latency: Latency) -> str:
    if latency.max is None:
        return "not measured: every frame had arrived before the feed was open"
    return f"p50 {latency.p50:g} ms, p99 {latency.p99:g} ms, max {latency.max:g} ms"


def _left(summary: Summary) -> str:
    if summary.kept:
        return f"the feed goes on; end it with: virtufin feed stop {summary.run_id}"
    return f"nothing of run {summary.run_id}"
