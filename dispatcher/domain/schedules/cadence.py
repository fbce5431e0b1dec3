"""When a schedule comes true: cron expressions in a time zone, and plain intervals.

Cron expressions mean what they mean to Debian's cron (cron(8)). Where minute and hour are both fixed, a time that the
clocks skip comes at the end of what is skipped, and one that is there twice comes the first time only. With a star in
either field the clock on the wall decides: what is skipped does not come, what is there twice comes twice. `cronsim`
reads the expressions and walks the fixed ones. The others are walked here from one change of the clocks to the next,
between which nothing special happens: that is exact where clocks change by half an hour, too.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_DAY: Final = 86_400


class Cadence(Protocol):
    """Times that come again and again, unix seconds."""

    def after(self, at: float) -> Iterator[float]:
        """Those after `at`, each later than the one before."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """Every `seconds`, counted from `anchor`. Time zones and changes of clocks have no part in it."""

    seconds: int
    anchor: float

    def after(self, at: float) -> Iterator[float]:
        count = max(math.floor((at - self.anchor) / self.seconds) + 1, 1)
        while True:
            if (found := self.anchor + count * self.seconds) > at:
                yield found
            count += 1


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression, in the time of `zone` (a name of the IANA's)."""

    expression: str
    zone: str = "UTC"

    @property
    def is_fixed(self) -> bool:
        """Minute and hour are said, so that a change of the clocks must neither lose nor double it."""
        fields = self.expression.split()
        return len(fields) == 5 and not fields[0].startswith("*") and not fields[1].startswith("*")

    def after(self, at: float) -> Iterator[float]:
        zone = zone_of(self.zone)
        return self._fixed(at, zone) if self.is_fixed and zone is not UTC else self._on_the_wall(at, zone)

    def _fixed(self, at: float, zone: tzinfo) -> Iterator[float]:
        last = at
        for local in CronSim(self.expression, datetime.fromtimestamp(at, zone)):
            # Several times that are skipped come at one; and the second of two like hours leads back to the first.
            if (found := local.timestamp()) > last:
                last = found
                yield found

    def _on_the_wall(self, at: float, zone: tzinfo) -> Iterator[float]:
        last = at
        while True:
            offset = _offset(last, zone)
            change = None
            for local in CronSim(self.expression, _wall(last + offset)):
                found = local.replace(tzinfo=UTC).timestamp() - offset
                if (change := _change(last, found, zone)) is not None:
                    break
                last = found
                yield found
            if change is None:
                return
            # On from the change, by the clock as it goes then; the moment of the change counts.
            offset = _offset(change, zone)
            first = next(CronSim(self.expression, _wall(change + offset - 1)), None)
            last = change
            if first is not None and first.replace(tzinfo=UTC).timestamp() - offset == change:
                yield change


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time of a cadence; `note` says what the clocks do to it, where they do anything."""

    at: float
    local: datetime
    note: str = ""


def zone_of(name: str) -> tzinfo:
    """The time zone. Raises what `zoneinfo` raises for a name that is none."""
    return UTC if name == "UTC" else ZoneInfo(name)


def check_expression(expression: str) -> None:
    """Raises ValueError with the way out, for what is no cron expression or never comes true."""
    way_out = "write minute, hour, day of month, month, day of week: `0 2 * * *` is each night at two"
    try:
        walk = CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as e:
        raise ValueError(f"{str(e)[:1].lower()}{str(e)[1:]}; {way_out}") from e
    # The calendar goes round within fifty years; the walk gives up after as many.
    if next(walk, None) is None:
        raise ValueError(f"never comes true: no month has such a day; {way_out}")


def upcoming(cadence: Cadence, after: float, count: int) -> list[Occurrence]:
    """The next `count` times after `after`, with what the clocks do to them."""
    zone = zone_of(cadence.zone) if isinstance(cadence, Cron) else UTC
    return [
        Occurrence(at, datetime.fromtimestamp(at, zone), _note(cadence, at, zone))
        for at in islice(cadence.after(after), count)
    ]


def _note(cadence: Cadence, at: float, zone: tzinfo) -> str:
    if not isinstance(cadence, Cron):
        return ""
    local, before = datetime.fromtimestamp(at, zone), _offset(at - 1, zone)
    skipped = _offset(at, zone) - before
    if skipped > 0 and cadence.is_fixed:
        wall = local.replace(tzinfo=None)
        meant = next(CronSim(cadence.expression, _wall(at + before - 1)), None)
        if meant is not None and meant < wall:
            return f"in place of {meant:%H:%M}, which the clocks skip"
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset() and _is_real(local):
        again = "" if cadence.is_fixed else ", and it comes both times"
        return f"{local:%H:%M} is there twice: this is the {'second' if local.fold else 'first'}{again}"
    return ""


def _is_real(local: datetime) -> bool:
    back = local.astimezone(UTC).astimezone(local.tzinfo)
    return back.replace(tzinfo=None) == local.replace(tzinfo=None)


def _wall(at: float) -> datetime:
    """What a clock shows whose zone's offset is added to `at` already."""
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def _offset(at: float, zone: tzinfo) -> int:
    """Whole seconds that the zone's clocks are ahead of UTC."""
    ahead = datetime.fromtimestamp(math.floor(at), zone).utcoffset()
    return 0 if ahead is None else round(ahead.total_seconds())


def _change(since: float, until: float, zone: tzinfo) -> float | None:
    """The first moment after `since`, and not after `until`, at which the clocks were changed."""
    if zone is UTC:
        return None
    before, early = _offset(since, zone), math.floor(since)
    while early < until:
        # No zone changes its clocks there and back within a day.
        late = min(early + _DAY, math.floor(until))
        if _offset(late, zone) != before:
            while late - early > 1:
                middle = (early + late) // 2
                if _offset(middle, zone) == before:
                    early = middle
                else:
                    late = middle
            return late
        if late <= early:
            return None
        early = late
    return None
