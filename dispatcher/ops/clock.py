"""The one module that reads the clock.

Two kinds of time: `now()` of a `Clock` is what jobs are measured by, and may be simulated; `monotonic()` and
everything built on it here is real time, for time-outs and for loops that must not spin.
"""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from dispatcher.domain.errors import SettingsError
from dispatcher.ports.clock import Clock

Found = TypeVar("Found")

_TEXT = re.compile(r"(?P<speed>\d{1,9}(?:\.\d{1,9})?)@(?P<origin>\d{1,12}(?:\.\d{1,9})?)")


@dataclass(frozen=True, slots=True)
class WallClock:
    """The machine's own clock."""

    speed: float = 1.0

    def now(self) -> float:
        """Unix seconds."""
        return time.time()


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """A time that agreed with the wall clock at `origin` (unix seconds) and runs `speed` times as fast since.

    It is a function of the wall clock alone: all processes with the same two numbers read the same time.
    """

    speed: float
    origin: float
    wall: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed) and self.speed > 0 and math.isfinite(self.origin)):
            raise ValueError("a clock needs a speed above 0 and an origin in unix seconds")

    def now(self) -> float:
        """Unix seconds of the simulated time."""
        return self.origin + (self.wall() - self.origin) * self.speed


def parse_clock(text: str) -> Clock:
    """The clock that `<speed>@<origin unix seconds>` describes; the wall clock for an empty text.

    Raises `SettingsError` for anything else.
    """
    stripped = text.strip()
    if not stripped:
        return WallClock()
    found = _TEXT.fullmatch(stripped)
    if found is None or float(found["speed"]) <= 0:
        raise SettingsError(
            "DISPATCHER_CLOCK: write it as <speed>@<origin in unix seconds>, as in 60@1767225600, "
            "or leave it empty for the wall clock"
        )
    return ScaledClock(float(found["speed"]), float(found["origin"]))


def clock_text(speed: float, origin: float) -> str:
    """What `parse_clock` reads back, to hand a simulated clock to other processes.

    The speed is kept to nine digits after the point, the origin (unix seconds) to the millisecond.
    """
    return f"{_plain(speed, 9)}@{_plain(origin, 3)}"


def _plain(number: float, digits: int) -> str:
    return f"{number:.{digits}f}".rstrip("0").rstrip(".")


def start_clock(speed: float) -> str:
    """The text of a clock that agrees with the wall clock now and runs `speed` times as fast from here on."""
    return clock_text(speed, time.time())


def monotonic() -> float:
    """Real seconds since some moment; never goes back."""
    return time.monotonic()


class _Event(Protocol):
    def wait(self, timeout: float | None = None) -> bool: ...


class Ticker:
    """The beat of a loop: a tick every `interval` real seconds, the first one after one interval.

    Ticks stand on a fixed grid, so that the loop's own work does not make them drift. Where the work takes
    longer than the interval the next tick comes at once, and those that were missed besides are left out.
    """

    def __init__(self, interval: float, *, monotonic: Callable[[], float] = monotonic) -> None:
        if not interval > 0:
            raise ValueError("a ticker needs an interval above 0")
        self._interval = interval
        self._monotonic = monotonic
        self._next = monotonic() + interval

    def wait(self, stop: _Event) -> bool:
        """Wait for the next tick, or until `stop` (a `threading.Event`) is set: then it answers False."""
        now = self._monotonic()
        if stop.wait(max(self._next - now, 0.0)):
            return False
        missed = max(math.floor((now - self._next) / self._interval), 0)
        self._next += (missed + 1) * self._interval
        return True


def poll(probe: Callable[[], Found | None], *, within: float, every: float = 0.01) -> Found | None:
    """Ask `probe` every `every` real seconds until it finds something; None if `within` seconds go by without."""
    deadline = monotonic() + within
    while (found := probe()) is None:
        if monotonic() >= deadline:
            return None
        time.sleep(every)  # the one place that waits by sleeping: for what cannot wake anybody
    return found
