from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from dateutil.easter import easter
from hypothesis import given, settings
from hypothesis import strategies as st

from virtufin_examples.venues import _market_hours as hours
from virtufin_examples.venues._market_hours import (
    ALWAYS_OPEN,
    US_OPTIONS,
    US_STOCKS,
    US_STOCKS_IEX,
    US_STOCKS_OVERNIGHT,
    US_STOCKS_REGULAR,
)

steady = settings(derandomize=True, deadline=None)
EASTERN = ZoneInfo("America/New_York")
MARKETS = (US_STOCKS, US_STOCKS_REGULAR, US_STOCKS_IEX, US_STOCKS_OVERNIGHT, US_OPTIONS)
FIRST, LAST = dt.datetime(2025, 1, 2, tzinfo=dt.UTC), dt.datetime(2028, 12, 15, tzinfo=dt.UTC)
moments = st.integers(int(FIRST.timestamp()), int(LAST.timestamp())).map(lambda seconds: seconds * 10**9)


def at(text: str) -> int:
    """A time in New York as Unix nanoseconds."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=EASTERN).timestamp()) * 10**9


def weekday_of(year: int, month: int, weekday: int, number: int) -> dt.date:
    days = [dt.date(year, month, 1) + dt.timedelta(days=n) for n in range(31)]
    found = [day for day in days if day.month == month and day.weekday() == weekday]
    return found[number - 1] if number > 0 else found[-1]


def observed(day: dt.date) -> dt.date:
    return day + dt.timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


@pytest.mark.parametrize("year", range(2025, 2029))
def test_the_holidays_are_those_of_the_exchange_s_rules(year: int) -> None:
    rules = {
        weekday_of(year, 1, 0, 3),
        weekday_of(year, 2, 0, 3),
        easter(year) - dt.timedelta(days=2),
        weekday_of(year, 5, 0, -1),
        weekday_of(year, 9, 0, 1),
        weekday_of(year, 11, 3, 4),
        *(observed(dt.date(year, month, day)) for month, day in ((6, 19), (7, 4), (12, 25))),
    }
    if dt.date(year, 1, 1).weekday() != 5:  # on a Saturday it is not observed
        rules.add(observed(dt.date(year, 1, 1)))
    if year == 2025:
        rules.add(dt.date(2025, 1, 9))
    assert {day for day in hours._HOLIDAYS if day.year == year} == rules


@pytest.mark.parametrize("year", range(2025, 2029))
def test_early_closes_are_trading_days_and_the_day_after_thanksgiving_is_one(year: int) -> None:
    early = {day for day in hours._EARLY_CLOSES if day.year == year}
    assert weekday_of(year, 11, 3, 4) + dt.timedelta(days=1) in early
    assert not early & set(hours._HOLIDAYS)
    assert all(day.weekday() < 5 for day in early)


@pytest.mark.parametrize(
    ("market", "time", "is_open", "text"),
    [
        (US_STOCKS, "2026-11-20 12:00", True, "until Friday 2026-11-20 20:00"),
        (US_STOCKS, "2026-11-20 03:59", False, "outside trading hours), opens Friday 2026-11-20 04:00"),
        (US_STOCKS, "2026-11-20 04:00", True, "20:00"),
        (US_STOCKS, "2026-11-20 20:00", False, "outside trading hours), opens Monday 2026-11-23 04:00"),
        (US_STOCKS, "2026-11-21 12:00", False, "(weekend), opens Monday 2026-11-23 04:00"),
        (US_STOCKS, "2026-11-26 12:00", False, "(Thanksgiving Day), opens Friday 2026-11-27 04:00"),
        (US_STOCKS, "2026-11-27 16:59", True, "until Friday 2026-11-27 17:00"),
        (US_STOCKS, "2027-03-25 23:00", False, "opens Monday 2027-03-29 04:00"),
        (US_STOCKS, "2026-12-31 21:00", False, "opens Monday 2027-01-04 04:00"),
        (US_STOCKS_REGULAR, "2026-03-09 09:30", True, "16:00"),
        (US_STOCKS_REGULAR, "2026-12-24 13:00", False, "opens Monday 2026-12-28 09:30"),
        (US_STOCKS_IEX, "2026-06-01 07:59", False, "opens Monday 2026-06-01 08:00"),
        (US_STOCKS_OVERNIGHT, "2026-11-22 20:00", True, "until Monday 2026-11-23 04:00"),
        (US_STOCKS_OVERNIGHT, "2026-11-23 00:30", True, "until Monday 2026-11-23 04:00"),
        (US_STOCKS_OVERNIGHT, "2026-11-25 21:00", False, "opens Thursday 2026-11-26 20:00"),
        (US_OPTIONS, "2026-11-27 12:59", True, "13:00"),
        (US_OPTIONS, "2026-11-27 13:00", False, "opens Monday 2026-11-30 09:30"),
    ],
)
def test_the_state_of_a_market(market, time: str, is_open: bool, text: str) -> None:
    state = market.state(at(time))
    assert (state.is_open, text in state.text) == (is_open, True), state.text


@steady
@given(st.sampled_from(MARKETS), moments)
def test_the_state_changes_just_when_it_says(market, now_ns: int) -> None:
    state = market.state(now_ns)
    assert state.changes_ns > now_ns
    assert market.state(state.changes_ns - 1).is_open == state.is_open
    assert market.state(state.changes_ns).is_open != state.is_open


@steady
@given(moments)
def test_eastern_time_is_that_of_the_time_zone_database(now_ns: int) -> None:
    moment = dt.datetime.fromtimestamp(now_ns // 10**9, dt.UTC)
    state = US_STOCKS.state(now_ns)
    local = moment.astimezone(EASTERN)
    if state.is_open:
        assert 4 <= local.hour < 20
        assert local.weekday() < 5
    assert dt.datetime.fromtimestamp(state.changes_ns // 10**9, EASTERN).strftime("%H:%M") in state.text


def test_a_crypto_market_never_closes_and_a_year_without_a_calendar_is_not_known() -> None:
    assert ALWAYS_OPEN.state(0).is_open
    assert US_STOCKS.state(at("2024-12-31 12:00")) is None
    assert US_STOCKS.state(at("2029-01-02 12:00")) is None
