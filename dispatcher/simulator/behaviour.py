"""How a job behaves here: said by its definition under `meta.simulated`, else chosen from the CID.

    "meta": {"simulated": {"runs_for": "20m", "exit_code": 0, "queued_for": "1m", "host_quits_after": "5m",
                           "output": "some text", "results_after": "10s", "only_first": 2}}

All fields are optional. Durations are `90s`, `20m`, `1h30m`, `1d`, or plain numbers of seconds (as a number
or a string). The network's own validator accepts this form: one map level of strings and numbers.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

_DURATION = re.compile(
    r"(?=.)(?:(?P<d>\d+(?:\.\d+)?)d)?(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?"
)
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATIONS = ("runs_for", "queued_for", "results_after", "host_quits_after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a job's definition asks for; None where it leaves the choice. Durations in simulated seconds.

    `only_first`: the exit code and the host that quits befall only so many of its first runs.
    """

    runs_for: float | None = None
    queued_for: float | None = None
    results_after: float | None = None
    host_quits_after: float | None = None
    exit_code: int = 0
    output: str | None = None
    only_first: int | None = None

    def of_run(self, number: int) -> "Behaviour":
        """What befalls the run with this number, from 1."""
        if self.only_first is None or number <= self.only_first:
            return self
        return replace(self, host_quits_after=None, exit_code=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What jobs do whose definitions do not say; None leaves it to the CID (the same CID, the same choice)."""

    runs_for: float | None = None
    queued_for: float | None = None
    results_after: float | None = None

    def for_cid(self, cid: str) -> "Defaults":
        """These defaults with the gaps filled from the CID: 2 to 6 minutes of work, 2 to 15 s in the queue,
        a result 2 to 5 s after the end."""
        chance = hashlib.sha256(cid.encode()).digest()
        return Defaults(
            runs_for=_or(self.runs_for, 120 + int.from_bytes(chance[:4], "big") % 240),
            queued_for=_or(self.queued_for, 2 + chance[4] % 14),
            results_after=_or(self.results_after, 2 + chance[5] % 4),
        )


def behaviour_of(meta: Mapping[str, Any]) -> tuple[Behaviour, list[tuple[str, str]]]:
    """The behaviour that `meta` asks for, and its faults as (field, expected)."""
    wanted = meta.get("simulated", {})
    if not isinstance(wanted, dict):
        return Behaviour(), [("simulated", "a map")]
    faults: list[tuple[str, str]] = []
    found: dict[str, Any] = {}
    for name, value in wanted.items():
        read, expected = _READERS.get(name, (_nothing, f"one of {', '.join(_READERS)}"))
        try:
            found[name] = read(value)
        except ValueError:
            faults.append((f"simulated.{name}", expected))
    return Behaviour(**found), faults


def seconds(value: object) -> float:
    """A duration in seconds. Raises ValueError for what is none, negative ones included."""
    if isinstance(value, str):
        text = value.strip()
        found = _DURATION.fullmatch(text)
        if found:
            return sum(float(amount) * _UNITS[unit] for unit, amount in found.groupdict().items() if amount)
        value = float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a duration")
    if not math.isfinite(value) or value < 0:
        raise ValueError("not a duration")
    return float(value)


def _exit_code(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError("not an exit code")
    if not 0 <= value <= 255:
        raise ValueError("not an exit code")
    return int(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 0:
        raise ValueError("not a count")
    return int(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value


def _nothing(_: object) -> None:
    raise ValueError("unknown field")


_READERS: dict[str, tuple[Any, str]] = dict.fromkeys(_DURATIONS, (seconds, "a duration")) | {
    "exit_code": (_exit_code, "an integer from 0 to 255"),
    "output": (_text, "a string"),
    "only_first": (_count, "a whole number, 0 or more"),
}


def _or(chosen: float | None, otherwise: float) -> float:
    return float(otherwise if chosen is None else chosen)
