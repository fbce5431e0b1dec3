"""Moments and spans in words, in UTC and never finer than a second."""

from dispatcher.domain.duration import format_duration
from dispatcher.domain.view import timestamp

_DAY = 86_400


def moment(at: float, now: float) -> str:
    """`14:00:00Z` on the day of `now`, otherwise `2026-11-22T14:00:00Z`."""
    text = timestamp(at) or ""
    return text.partition("T")[2] if at // _DAY == now // _DAY else text


def span(seconds: float) -> str:
    """`1h30m`; of what is long only the larger parts: `3h12m`, `2d5h`."""
    whole = round(abs(seconds))
    if whole >= 2 * _DAY:
        whole -= whole % 3600
    elif whole >= 2 * 3600:
        whole -= whole % 60
    return format_duration(whole)


def from_now(at: float, now: float) -> str:
    """`now`, `in 5m`, `5m ago`."""
    if round(abs(at - now)) == 0:
        return "now"
    return f"in {span(at - now)}" if at > now else f"{span(now - at)} ago"


def when(at: float, now: float) -> str:
    """`14:00:00Z, in 5m`."""
    told = from_now(at, now)
    return "now" if told == "now" else f"{moment(at, now)}, {told}"
