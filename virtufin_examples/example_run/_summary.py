"""What a run comes to."""

from __future__ import annotations

from dataclasses import dataclass

from virtufin_examples.audit import AuditResult
from virtufin_examples.example_run._options import Upstream
from virtufin_examples.example_run._tally import Latency, Tally

_SHOWN_FINDINGS = 5
_FINDING_WIDTH = 68


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
    account: AuditResult | None = None
    """Of a run with faults."""

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
        *_account(summary.account),
        f"  engine    {summary.engine} on {summary.runtime}",
        f"  upstream  {summary.upstream}, platform {summary.platform}",
        f"  left      {_left(summary)}",
    ]


def _latency(latency: Latency) -> str:
    if latency.max is None:
        return "not measured: every frame had arrived before the feed was open"
    return f"p50 {latency.p50:g} ms, p99 {latency.p99:g} ms, max {latency.max:g} ms"


def _account(account: AuditResult | None) -> list[str]:
    if account is None:
        return []
    found = "closed" if account.is_closed else f"NOT closed, {len(account.findings)} findings"
    frames = f"{account.sent:,} frames sent, {account.delivered:,} delivered,"
    faults = f"{account.faults} faults of {account.injected_ns / 1e9:.0f} s"
    lines = [
        f"  account   {found}: {frames}",
        f"            {account.in_gaps:,} in {account.gaps} announced gaps; {faults}",
    ]
    findings = (str(finding)[:_FINDING_WIDTH] for finding in account.findings[:_SHOWN_FINDINGS])
    return lines + [f"            {finding}" for finding in findings]


def _left(summary: Summary) -> str:
    if summary.kept:
        return f"the feed goes on; end it with: virtufin feed stop {summary.run_id}"
    return f"nothing of run {summary.run_id}"
