"""Durations are read with their unit or not at all, and written back so that they are read the same."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dispatcher.domain.duration import Duration, format_duration, parse_duration

MOST = timedelta(days=3650)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("90s", 90),
        ("30m", 1800),
        ("1h", 3600),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1d2h3m4s", 93_784),
        ("1.5h", 5400),
        ("0.25s", 0.25),
        ("0h5m", 300),
        (" 30m ", 1800),
        ("30M", 1800),
        ("PT30M", 1800),
        ("pt30m", 1800),
        ("PT1H30M", 5400),
        ("P1D", 86_400),
        ("P1DT12H", 129_600),
        ("PT0.5S", 0.5),
        ("3650d", 315_360_000),
        ("0.000001s", 0.000001),
    ],
)
def test_what_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("30", "30 has no unit"),
        ("1.5", "1.5 has no unit"),
        ("-30", "-30 has no unit"),
        (" 30 ", "30 has no unit"),
        (30, "needs a unit"),
        (30.0, "needs a unit"),
        (True, "needs a unit"),
        (None, "needs a unit"),
        (b"30m", "needs a unit"),
        (["30m"], "needs a unit"),
        ("", "is not a duration"),
        ("s", "is not a duration"),
        ("P", "is not a duration"),
        ("PT", "is not a duration"),
        ("P1DT", "is not a duration"),
        ("PT1D", "is not a duration"),
        ("P1M", "is not a duration"),  # a month has no length
        ("P1W", "is not a duration"),
        ("30m1h", "is not a duration"),
        ("1h 30m", "is not a duration"),
        ("1h30", "is not a duration"),
        ("-30m", "is not a duration"),
        ("30min", "is not a duration"),
        ("30m\n30m", "is not a duration"),
        ("1e3s", "is not a duration"),
        ("nans", "is not a duration"),
        ("infd", "is not a duration"),
        ("x" * 1000, "is not a duration"),
        ("0s", "longer than nothing"),
        ("0h0m", "longer than nothing"),
        ("0.0000001s", "longer than nothing"),
        (timedelta(0), "longer than nothing"),
        (timedelta(seconds=-1), "longer than nothing"),
        ("3651d", "10 years"),
        ("3650d1s", "10 years"),
        ("87600h87600h", "is not a duration"),
        ("9" * 400 + "d", "10 years"),
        ("9" * 400 + "s", "10 years"),
        (timedelta(days=3651), "10 years"),
        (timedelta.max, "10 years"),
    ],
)
def test_what_is_refused(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        parse_duration(value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("value", ["30", 30, "soon", 1.5])
def test_the_way_out_is_told(value: object) -> None:
    with pytest.raises(
        ValueError, match="write it with its unit: 90s, 30m, 1h30m, 2d, PT30M, or a timedelta"
    ):
        parse_duration(value)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0, "0s"),
        (1, "1s"),
        (59.5, "59.5s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (5400, "1h30m"),
        (86_400, "1d"),
        (90_061, "1d1h1m1s"),
        (59.9999999, "1m"),
        (3599.9999999, "1h"),
        (60.25, "1m0.25s"),
        (-90, "-1m30s"),
        (timedelta(minutes=30), "30m"),
        (timedelta(microseconds=100), "0.0001s"),
        (timedelta(seconds=10), "10s"),
        (timedelta(seconds=10.5), "10.5s"),
    ],
)
def test_what_is_written(duration: timedelta | float, text: str) -> None:
    assert format_duration(duration) == text


@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=MOST))
def test_what_is_written_is_read_back_exactly(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.text(alphabet="0123456789.dhmsPTDHMS -+e", max_size=12))
def test_any_text_is_either_read_or_refused_with_a_value_error(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert timedelta(0) < duration <= MOST
    assert parse_duration(format_duration(duration)) == duration


@given(st.floats(min_value=0, max_value=1e8))
def test_seconds_are_written_to_the_microsecond(seconds: float) -> None:
    text = format_duration(seconds)
    if text != "0s":
        assert math.isclose(parse_duration(text).total_seconds(), seconds, abs_tol=1e-6)


@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=MOST))
def test_the_field_type_survives_json(duration: timedelta) -> None:
    field: TypeAdapter[timedelta] = TypeAdapter(Duration)
    assert field.validate_json(field.dump_json(duration)) == duration
