"""Time: clocks that many processes read alike, and loops that keep their beat."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dispatcher
from dispatcher.domain.errors import SettingsError
from dispatcher.ops import clock
from dispatcher.ops.clock import ScaledClock, Ticker, WallClock, clock_text, parse_clock, poll, start_clock
from dispatcher.ports.clock import Clock


def test_the_clocks_are_clocks() -> None:
    clocks: list[Clock] = [WallClock(), ScaledClock(60, 1000)]
    assert [each.speed for each in clocks] == [1.0, 60]


def test_the_wall_clock_is_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1767225600.25)
    assert WallClock().now() == 1767225600.25


@pytest.mark.parametrize(
    ("speed", "wall", "now"),
    [(60, 1000, 1000), (60, 1001, 1060), (60, 999, 940), (0.5, 1010, 1005), (1, 1234.5, 1234.5)],
)
def test_a_scaled_clock_runs_from_its_origin(speed: float, wall: float, now: float) -> None:
    assert ScaledClock(speed, 1000, wall=lambda: wall).now() == now


@pytest.mark.parametrize(
    ("speed", "origin"), [(0, 1), (-1, 1), (float("nan"), 1), (float("inf"), 1), (1, float("inf"))]
)
def test_an_impossible_clock_is_refused(speed: float, origin: float) -> None:
    with pytest.raises(ValueError, match="speed above 0"):
        ScaledClock(speed, origin)


@given(
    st.integers(1, 10**9).map(lambda thousandths: thousandths / 1000),
    st.integers(0, 10**13).map(lambda milliseconds: milliseconds / 1000),
)
def test_a_clock_s_text_gives_the_same_clock(speed: float, origin: float) -> None:
    parsed = parse_clock(clock_text(speed, origin))
    assert isinstance(parsed, ScaledClock)
    assert parsed.speed == pytest.approx(speed, rel=1e-12)
    assert parsed.origin == pytest.approx(origin, abs=1e-6)


@pytest.mark.parametrize(
    ("speed", "origin", "text"), [(60, 1767225600, "60@1767225600"), (100, 0.5, "100@0.5")]
)
def test_a_clock_s_text_is_plain(speed: float, origin: float, text: str) -> None:
    assert clock_text(speed, origin) == text


def test_a_clock_that_starts_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1767225600.1234)
    assert start_clock(60) == "60@1767225600.123"


@pytest.mark.parametrize("text", ["", "  "])
def test_no_text_is_the_wall_clock(text: str) -> None:
    assert parse_clock(text) == WallClock()


def test_a_wrong_text_names_the_variable() -> None:
    with pytest.raises(SettingsError, match="DISPATCHER_CLOCK"):
        parse_clock("60x")


class FakeEvent:
    """An event on whose time-out the time moves."""

    def __init__(self, stopped_after: float = float("inf")) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.stopped_after = stopped_after

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(round(timeout, 9))
        self.now = min(self.now + timeout, self.stopped_after)
        return self.now >= self.stopped_after


def test_a_ticker_does_not_drift() -> None:
    event = FakeEvent()
    ticker = Ticker(0.1, monotonic=lambda: event.now)
    for work in (0.03, 0.09, 0.0):
        assert ticker.wait(event)
        event.now += work
    assert ticker.wait(event)
    assert event.waits == [0.1, 0.07, 0.01, 0.1]


@pytest.mark.parametrize(
    ("work", "waits"), [(0.25, [0.1, 0.0, 0.05]), (1.0, [0.1, 0.0, 0.1]), (0.1, [0.1, 0.0, 0.1])]
)
def test_a_ticker_leaves_out_what_it_missed(work: float, waits: list[float]) -> None:
    event = FakeEvent()
    ticker = Ticker(0.1, monotonic=lambda: event.now)
    ticker.wait(event)
    event.now += work
    ticker.wait(event)
    ticker.wait(event)
    assert event.waits == pytest.approx(waits, abs=1e-6)


def test_a_ticker_ends_when_it_is_told_to() -> None:
    event = FakeEvent(stopped_after=100.05)
    assert not Ticker(0.1, monotonic=lambda: event.now).wait(event)


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_a_ticker_needs_an_interval(interval: float) -> None:
    with pytest.raises(ValueError, match="interval"):
        Ticker(interval)


def test_poll_gives_what_it_finds_or_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert poll(lambda: now[0] if now[0] > 0.5 else None, within=1, every=0.125) == 0.625
    before = now[0]
    assert poll(lambda: None, within=1, every=0.25) is None
    assert now[0] == before + 1
    assert poll(lambda: 0, within=0) == 0


def test_no_other_module_reads_the_clock() -> None:
    package = Path(dispatcher.__file__).parent
    reads = re.compile(
        r"\btime\.(?:time|monotonic|perf_counter)\b|datetime\.now|utcnow|from time import|date\.today"
    )
    readers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if reads.search(path.read_text())
    }
    assert readers == {Path(clock.__file__).relative_to(package).as_posix()}
