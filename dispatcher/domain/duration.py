"""Durations with a unit: `30m`, `1h30m`, `PT30M` or `timedelta`; never a bare number."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_SHORT = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_ISO = re.compile(
    r"P(?:(\d+(?:\.\d+)?)D)?(?:T(?=\d)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_WAY_OUT = "write it with its unit: 90s, 30m, 1h30m, 2d, PT30M, or a timedelta"
_LONGEST = timedelta(days=3650)


def parse_duration(value: object) -> timedelta:
    """A positive duration from `30m`, `1h30m`, `90s`, `2d`, `PT30M` or a `timedelta`.

    Raises ValueError with the way out: for bare numbers (the unit would be a guess), for zero and for less.
    """
    match value:
        case timedelta():
            duration = value
        case str():
            duration = _parse_text(value.strip())
        case _:
            raise ValueError(f"a duration needs a unit; {_WAY_OUT}")
    if duration <= timedelta(0):
        raise ValueError("a duration must be longer than nothing")
    if duration > _LONGEST:
        raise ValueError("a duration may not be longer than 10 years")
    return duration


def _parse_text(text: str) -> timedelta:
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        raise ValueError(f"{text} has no unit; {_WAY_OUT}")
    found = _SHORT.fullmatch(text.lower()) or _ISO.fullmatch(text.upper())
    if found is None or not any(found.groups()):
        raise ValueError(f"{text[:40]!r} is not a duration; {_WAY_OUT}")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    if days > 3650 or hours > 87600 or minutes > 5256000 or seconds > 315360000:
        raise ValueError("a duration may not be longer than 10 years")
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def format_duration(duration: timedelta | float) -> str:
    """A text that `parse_duration` reads back, to the microsecond: `1h30m`, `90s` as `1m30s`, `0s` for nothing."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    if seconds < 0:
        return "-" + format_duration(-seconds)
    whole, fraction = divmod(round(seconds, 6), 1)
    left, parts = int(whole), []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if unit == "s" and fraction:
            parts.append(f"{count + fraction:.6f}".rstrip("0") + "s")
        elif count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _validate(value: Any) -> timedelta:
    return parse_duration(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(_validate),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["30m", "1h30m", "PT30M"]}),
]
"""A pydantic field type for `parse_duration`; written back as `30m`."""
