"""When markets are open. Pure: the time is an argument, the calendar is data.

Holidays and early closes of US stocks and options are those that NYSE Group published on 2025-12-23 for 2026
to 2028 (2025: on 2024-11-08). Trading hours of stocks are those of the consolidated feeds: 04:00 to 20:00
Eastern Time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

Span = tuple[int, int]
"""Start and end of a session, in minutes after midnight Eastern Time."""

_NS_PER_SECOND = 1_000_000_000
_DAY_MINUTES = 24 * 60
_LOOK_BACK_DAYS = 6
_LOOK_AHEAD_DAYS = 10
_EASTERN_STANDARD_HOURS = -5
_FIRST_YEAR, _LAST_YEAR = 2025, 2028

_HOLIDAYS: dict[dt.date, str] = {
    dt.date.fromisoformat(day): name
    for name, days in {
        "New Year's Day": "2025-01-01 2026-01-01 2027-01-01",
        "a day of mourning": "2025-01-09",
        "Martin Luther King, Jr. Day": "2025-01-20 2026-01-19 2027-01-18 2028-01-17",
        "Washington's Birthday": "2025-02-17 2026-02-16 2027-02-15 2028-02-21",
        "Good Friday": "2025-04-18 2026-04-03 2027-03-26 2028-04-14",
        "Memorial Day": "2025-05-26 2026-05-25 2027-05-31 2028-05-29",
        "Juneteenth": "2025-06-19 2026-06-19 2027-06-18 2028-06-19",
        "Independence Day": "2025-07-04 2026-07-03 2027-07-05 2028-07-04",
        "Labor Day": "2025-09-01 2026-09-07 2027-09-06 2028-09-04",
        "Thanksgiving Day": "2025-11-27 2026-11-26 2027-11-25 2028-11-23",
        "Christmas Day": "2025-12-25 2026-12-25 2027-12-24 2028-12-25",
    }.items()
    for day in days.split()
}
_EARLY_CLOSES = frozenset(
    dt.date.fromisoformat(day)
    for day in (
        "2025-07-03",
        "2025-11-28",
        "2025-12-24",
        "2026-11-27",
        "2026-12-24",
        "2027-11-26",
        "2028-07-03",
        "2028-11-24",
    )
)


@dataclass(frozen=True, slots=True)
class MarketState:
    """Whether a market is open, in words too; `changes_ns` (Unix time) is when that changes, 0: never."""

    is_open: bool
    changes_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Market:
    """A market by its sessions of a day; without `spans` it is always open."""

    name: str
    spans: Callable[[dt.date], tuple[Span, ...]] | None = None

    def state(self, now_ns: int) -> MarketState | None:
        """Return the state at a Unix time; None where the calendar does not reach."""
        if self.spans is None:
            return MarketState(is_open=True, changes_ns=0, text=f"{self.name}: always open")
        now = dt.datetime.fromtimestamp(now_ns // _NS_PER_SECOND, dt.UTC)
        today = _local_date(now)
        if not _FIRST_YEAR <= today.year <= _LAST_YEAR:
            return None
        sessions = self._sessions(self.spans, today)
        current = next((end for start, end in sessions if start <= now < end), None)
        if current is not None:
            return MarketState(
                is_open=True, changes_ns=_unix_ns(current), text=f"{self.name}: open until {_words(current)}"
            )
        opens = next((start for start, _ in sessions if start > now), None)
        if opens is None:
            return None
        return MarketState(
            is_open=False,
            changes_ns=_unix_ns(opens),
            text=f"{self.name}: closed ({_why_closed(now)}), opens {_words(opens)}",
        )

    @staticmethod
    def _sessions(
        spans: Callable[[dt.date], tuple[Span, ...]], today: dt.date
    ) -> list[tuple[dt.datetime, dt.datetime]]:
        """The sessions around a day in UTC; those that follow without a pause are one."""
        found: list[tuple[dt.datetime, dt.datetime]] = []
        for offset in range(-_LOOK_BACK_DAYS, _LOOK_AHEAD_DAYS):
            day = today + dt.timedelta(days=offset)
            for start, end in spans(day):
                opens, closes = _utc(day, start), _utc(day, end)
                if found and found[-1][1] == opens:
                    opens = found.pop()[0]
                found.append((opens, closes))
        return found


def _is_trading_day(day: dt.date) -> bool:
    return day.weekday() < 5 and day not in _HOLIDAYS


def _by_day(regular: Span, early: Span) -> Callable[[dt.date], tuple[Span, ...]]:
    def spans(day: dt.date) -> tuple[Span, ...]:
        if not _is_trading_day(day):
            return ()
        return (early if day in _EARLY_CLOSES else regular,)

    return spans


def _overnight(day: dt.date) -> tuple[Span, ...]:
    """From 20:00 before a trading day to 04:00 on it."""
    spans: list[Span] = []
    if _is_trading_day(day):
        spans.append((0, 4 * 60))
    if _is_trading_day(day + dt.timedelta(days=1)):
        spans.append((20 * 60, _DAY_MINUTES))
    return tuple(spans)


ALWAYS_OPEN = Market("around the clock")
US_STOCKS = Market("US stocks", _by_day((4 * 60, 20 * 60), (4 * 60, 17 * 60)))
US_STOCKS_REGULAR = Market("US stocks, regular session", _by_day((570, 16 * 60), (570, 13 * 60)))
US_STOCKS_IEX = Market("US stocks on IEX", _by_day((8 * 60, 17 * 60), (8 * 60, 17 * 60)))
US_STOCKS_OVERNIGHT = Market("US stocks overnight", _overnight)
US_OPTIONS = Market("US options", _by_day((570, 16 * 60), (570, 13 * 60)))


def _utc(day: dt.date, minutes: int) -> dt.datetime:
    """A time of a day in Eastern Time as UTC; no session begins or ends in the hour when clocks change."""
    midnight = dt.datetime(day.year, day.month, day.day, tzinfo=_eastern(day))
    return (midnight + dt.timedelta(minutes=minutes)).astimezone(dt.UTC)


def _eastern(day: dt.date) -> dt.timezone:
    """Eastern Time of a day: daylight time from March's second Sunday to November's first (15 USC 260a)."""
    summer = _sunday(day.year, 3, 2) <= day < _sunday(day.year, 11, 1)
    return dt.timezone(dt.timedelta(hours=_EASTERN_STANDARD_HOURS + summer), "ET")


def _local_date(moment: dt.datetime) -> dt.date:
    standard = moment + dt.timedelta(hours=_EASTERN_STANDARD_HOURS)
    return moment.astimezone(_eastern(standard.date())).date()


def _sunday(year: int, month: int, number: int) -> dt.date:
    first = dt.date(year, month, 1)
    return first + dt.timedelta(days=(6 - first.weekday()) % 7 + 7 * (number - 1))


def _why_closed(now: dt.datetime) -> str:
    today = _local_date(now)
    if today in _HOLIDAYS:
        return _HOLIDAYS[today]
    return "weekend" if today.weekday() >= 5 else "outside trading hours"


def _words(moment: dt.datetime) -> str:
    local = moment.astimezone(_eastern(moment.date()))
    return local.strftime("%A %Y-%m-%d %H:%M Eastern Time")


def _unix_ns(moment: dt.datetime) -> int:
    return int(moment.timestamp()) * _NS_PER_SECOND
