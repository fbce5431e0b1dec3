"""When schedules come true: tables for the days on which clocks change, and properties for all others."""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain.schedules.cadence import Cron, Every, check_expression, upcoming

AMSTERDAM = "Europe/Amsterdam"
ZONES = [
    *(
        AMSTERDAM,
        "America/New_York",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "Asia/Beirut",
    ),
    *("America/Santiago", "Pacific/Apia", "Asia/Kathmandu", "Europe/Dublin", "Antarctica/Troll", "UTC"),
]
YEARS = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def times(cron: str, zone: str, after: str, count: int) -> list[str]:
    found = upcoming(Cron(cron, zone), at(after), count)
    return [each.local.isoformat(timespec="minutes") for each in found]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        # At a fixed time: what is skipped comes at once afterwards, and only once.
        ("30 2 * * *", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("0,15,59 2 * * *", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
        ("30 2,3 * * *", ["2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00", "2026-03-30T02:30+02:00"]),
        ("0 2,3 * * *", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
        ("59 1 * * *", ["2026-03-29T01:59+01:00", "2026-03-30T01:59+02:00"]),
        # With a star the clock on the wall decides.
        ("*/30 2 * * *", ["2026-03-30T02:00+02:00", "2026-03-30T02:30+02:00"]),
        (
            "0 * * * *",
            ["2026-03-29T00:00+01:00", "2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"],
        ),
        ("30 */2 * * *", ["2026-03-29T00:30+01:00", "2026-03-29T04:30+02:00"]),
    ],
)
def test_clocks_go_forward(cron: str, expected: list[str]) -> None:
    assert times(cron, AMSTERDAM, "2026-03-28T23:45:00+01:00", len(expected)) == expected


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("30 2 * * *", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("30 1,2,3 * * *", ["2026-10-25T01:30+02:00", "2026-10-25T02:30+02:00", "2026-10-25T03:30+01:00"]),
        (
            "*/30 2 * * *",
            [
                *("2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00"),
                *("2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00", "2026-10-26T02:00+01:00"),
            ],
        ),
        ("0 */3 * * *", ["2026-10-25T00:00+02:00", "2026-10-25T03:00+01:00", "2026-10-25T06:00+01:00"]),
    ],
)
def test_clocks_go_back(cron: str, expected: list[str]) -> None:
    assert times(cron, AMSTERDAM, "2026-10-24T23:45:00+02:00", len(expected)) == expected


@pytest.mark.parametrize(
    ("zone", "cron", "after", "expected"),
    [
        # By half an hour.
        (
            "Australia/Lord_Howe",
            "*/20 1 * * *",
            "2026-04-04T14:20:00Z",
            ["2026-04-05T01:40+11:00", "2026-04-05T01:40+10:30", "2026-04-06T01:00+10:30"],
        ),
        (
            "Australia/Lord_Howe",
            "*/20 2 * * *",
            "2026-10-03T12:00:00Z",
            ["2026-10-04T02:40+11:00", "2026-10-05T02:00+11:00"],
        ),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00Z", ["2026-10-04T02:30+11:00"]),
        # At midnight: the day begins at one.
        ("Africa/Cairo", "0 0 * * *", "2026-04-23T12:00:00Z", ["2026-04-24T01:00+03:00"]),
        (
            "Africa/Cairo",
            "*/30 0 * * FRI",
            "2026-04-23T12:00:00Z",
            ["2026-05-01T00:00+03:00", "2026-05-01T00:30+03:00"],
        ),
        # By two hours.
        ("Antarctica/Troll", "30 1 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T03:00+02:00"]),
        ("America/New_York", "30 1 * * *", "2026-11-01T03:00:00Z", ["2026-11-01T01:30-04:00"]),
    ],
)
def test_other_zones(zone: str, cron: str, after: str, expected: list[str]) -> None:
    assert times(cron, zone, after, len(expected)) == expected


def test_notes() -> None:
    spring = upcoming(Cron("30 2 * * *", AMSTERDAM), at("2026-03-28T12:00:00Z"), 2)
    assert [each.note for each in spring] == ["in place of 02:30, which the clocks skip", ""]
    own = upcoming(Cron("0 3 * * *", AMSTERDAM), at("2026-03-28T12:00:00Z"), 1)
    assert own[0].note == ""
    autumn = upcoming(Cron("30 2 * * *", AMSTERDAM), at("2026-10-24T12:00:00Z"), 2)
    assert [each.note for each in autumn] == ["02:30 is there twice: this is the first", ""]
    both = upcoming(Cron("30 * * * *", AMSTERDAM), at("2026-10-25T00:00:00Z"), 3)
    assert [each.note for each in both] == [
        "02:30 is there twice: this is the first, and it comes both times",
        "02:30 is there twice: this is the second, and it comes both times",
        "",
    ]


def test_in_the_second_of_two_like_hours_the_first_is_not_gone_back_to() -> None:
    second = at("2026-10-25T02:40:00+01:00")
    assert times("45 2 * * *", AMSTERDAM, "2026-10-25T02:40:00+01:00", 1) == ["2026-10-26T02:45+01:00"]
    assert next(Cron("50 * * * *", AMSTERDAM).after(second)) == at("2026-10-25T02:50:00+01:00")


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "60 * * * *", "a b c d e", "0 0 31 4 *", "0 0 30 2 *", "0 24 * * *", "*/0 * * * *"],
)
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(ValueError, match="each night at two"):
        check_expression(expression)


@settings(deadline=None)
@given(st.text(alphabet="0123456789*,-/L#W SUNMON", max_size=24))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        check_expression(text)
    except ValueError:
        return
    assert next(Cron(text).after(0)) > 0


# --- properties -------------------------------------------------------------------------------------------

zones = st.sampled_from(ZONES)
seconds = st.integers(int(YEARS[0].timestamp()), int(YEARS[1].timestamp()))


@st.composite
def near_a_change(draw: st.DrawFn) -> tuple[str, int]:
    """A zone, and a time within two days before or after its clocks change (or anywhere)."""
    zone, moment = draw(zones), draw(seconds)
    changes = CHANGES[zone]
    if changes and draw(st.booleans()):
        moment = draw(st.sampled_from(changes)) + draw(st.integers(-172_800, 172_800))
    return zone, moment


def _offset(moment: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(moment, zone).utcoffset()


def _changes(name: str) -> list[int]:
    zone = ZoneInfo(name)
    hours = range(int(YEARS[0].timestamp()), int(YEARS[1].timestamp()), 3600)
    return [late for early, late in pairwise(hours) if _offset(early, zone) != _offset(late, zone)]


CHANGES = {name: _changes(name) for name in ZONES}


@st.composite
def plain_crons(draw: st.DrawFn) -> tuple[str, set[int], set[int]]:
    """An expression with the minutes and hours that it means; a star in at least one of both fields."""
    step = draw(st.sampled_from([1, 5, 7, 20, 30]))
    minute = draw(st.integers(0, 59))
    hours = sorted(draw(st.sets(st.integers(0, 23), min_size=1, max_size=6)))
    every, listed = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    minutes = set(range(0, 60, step)) if every else {minute}
    text = f"*/{step}" if every else str(minute)
    if every and listed:
        return f"{text} {','.join(map(str, hours))} * * *", minutes, set(hours)
    return f"{text} * * * *", minutes, set(range(24))


@settings(deadline=None)
@given(near_a_change(), plain_crons())
def test_with_a_star_it_is_what_the_clock_on_the_wall_shows(
    place: tuple[str, int], cron: tuple[str, set[int], set[int]]
) -> None:
    """None is lost, none is doubled: each minute of two days is looked at."""
    (name, start), (expression, minutes, hours) = place, cron
    zone, end = ZoneInfo(name), start + 2 * 86_400
    expected = []
    for moment in range(start - start % 60 + 60, end + 1, 60):
        local = datetime.fromtimestamp(moment, zone)
        if local.minute in minutes and local.hour in hours and local.second == 0:
            expected.append(moment)
    found = []
    for each in Cron(expression, name).after(start):
        if each > end:
            break
        found.append(each)
    assert found == expected


@settings(deadline=None)
@given(near_a_change(), st.integers(0, 59), st.sets(st.integers(0, 23), min_size=1, max_size=4))
def test_at_a_fixed_time_it_comes_once_a_day_for_each_hour(
    place: tuple[str, int], minute: int, hours: set[int]
) -> None:
    name, start = place
    zone = ZoneInfo(name)
    expression = f"{minute} {','.join(map(str, sorted(hours)))} * * *"
    found = list(islice(Cron(expression, name).after(start), 5 * len(hours)))
    # What was meant: each naive time of each day, at its first moment; if the clocks skip it, when they are through.
    day = datetime.fromtimestamp(start, zone).replace(tzinfo=None, hour=0, minute=0, second=0)
    meant = set()
    for number in range(-1, 10):
        for hour in hours:
            naive = day + timedelta(days=number, hours=hour, minutes=minute)
            local = naive.replace(tzinfo=zone)
            while local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != naive:
                naive += timedelta(minutes=1)
                local = naive.replace(tzinfo=zone)
            meant.add(local.timestamp())
    assert found == sorted(each for each in meant if each > start)[: len(found)]


@settings(deadline=None)
@given(
    near_a_change(),
    st.sampled_from(
        [
            "30 2 * * *",
            "*/30 2 * * *",
            "0 0 * * FRI",
            "*/10 0 1 * *",
            "15,45 1,2,3 * * *",
            "0 12 29 2 *",
            "* * * * *",
        ]
    ),
    st.integers(0, 30),
)
def test_it_goes_on_the_same_from_wherever_it_is_asked(place: tuple[str, int], cron: str, skip: int) -> None:
    """A schedule is kept as its next time alone: what comes after must not depend on where one began."""
    name, start = place
    cadence = Cron(cron, name)
    whole = list(islice(cadence.after(start), skip + 5))
    assert all(early < late for early, late in pairwise([start, *whole]))
    assert list(islice(cadence.after(whole[skip]), 4)) == whole[skip + 1 :]
    between = (whole[skip] + whole[skip + 1]) / 2
    assert next(cadence.after(between)) == whole[skip + 1]
    assert next(cadence.after(whole[skip] - 0.25)) == whole[skip]


@settings(deadline=None)
@given(st.integers(1, 10**6), seconds, st.floats(0, 10**7))
def test_an_interval_knows_no_clocks(length: int, anchor: int, later: float) -> None:
    found = list(islice(Every(length, anchor).after(anchor + later), 3))
    assert anchor + later < found[0] <= anchor + later + length
    assert [late - early for early, late in pairwise(found)] == [length, length]
    assert (found[0] - anchor) % length == 0
