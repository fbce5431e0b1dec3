"""What a market is like for a while: how many hosts it has, how soon they take jobs, how well they do, what they cost.

    {"hosts": 0, "queued_for": "30m", "slow_by": 4, "host_quits_after": "3m", "fails_after": "5s", "times": 2,
     "usd_per_hour": 0.2}

All fields are optional; what is left out is as it was at first. Durations as in `behaviour`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.simulator.behaviour import seconds

_DURATIONS = ("queued_for", "host_quits_after", "fails_after")


class ConditionsError(ValueError):
    """Conditions that cannot be; the message and `faults` name everything that is wrong with them."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("conditions: " + "; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Durations in simulated seconds.

    `hosts`: how many there are; fewer than are at work: the rest goes when its jobs are over. `queued_for`: hosts take
    no job sooner after it was listed (for jobs that are listed from then on). `slow_by`: work takes so many times as
    long. `host_quits_after`: hosts quit so long after they took a job. `fails_after`: whatever was to be done ends
    then, with exit code 1, unless it ended before. `times`: so many jobs are treated like that by their hosts (the
    three before), and the next ones are not; None: all. `usd_per_hour`: without the network's fee, for jobs that are
    listed from then on.
    """

    hosts: int | None = None
    queued_for: float | None = None
    slow_by: float = 1.0
    host_quits_after: float | None = None
    fails_after: float | None = None
    times: int | None = None
    usd_per_hour: float | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Conditions":
        """From parsed JSON. Raises ConditionsError with every fault found."""
        faults: list[str] = []
        found: dict[str, Any] = {}
        for name, value in fields.items():
            try:
                found[name] = _read(name, value)
            except ValueError as e:
                faults.append(f"{name} must be {e}" if name in _EXPECTED else f"{name} is unknown")
        if faults:
            raise ConditionsError(faults)
        return cls(**found)

    def as_json(self) -> dict[str, Any]:
        """What is not as it was at first, for people and tests."""
        usual = Conditions()
        names = (*_DURATIONS, "hosts", "slow_by", "times", "usd_per_hour")
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(usual, name)}


_EXPECTED = dict.fromkeys(_DURATIONS, "a duration") | {
    "hosts": "a whole number, 0 or more",
    "times": "a whole number, 0 or more",
    "slow_by": "a number above 0",
    "usd_per_hour": "a number of US dollars, 0 or more",
}


def _read(name: str, value: object) -> float | int:
    expected = ValueError(_EXPECTED.get(name, ""))
    if name in _DURATIONS:
        try:
            return seconds(value)
        except ValueError:
            raise expected from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise expected
    if name in ("hosts", "times"):
        if value != int(value):
            raise expected
        return int(value)
    if name not in _EXPECTED or (name == "slow_by" and value == 0):
        raise expected
    return float(value)
