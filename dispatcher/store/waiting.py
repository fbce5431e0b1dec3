"""Who waits in which line for money, and in which order they are served: read off the record, the same for every
store."""

import math
from dataclasses import dataclass
from decimal import Decimal

from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.waiting import Line, line_of
from dispatcher.ports.store import Waiter

_PRIORITY_WEIGHT = 2.0**34
"""Seconds; more than any unix time (until the year 2514), so that a priority outweighs every wait. With
priorities of -100 to 100 a double still tells waits apart that began half a millisecond after each other."""


@dataclass(frozen=True, slots=True)
class CreditWait:
    """A job stands in a line. The lowest `rank` is served first."""

    line: Line
    rank: float
    short_usd: Decimal


def credit_wait(job: Job) -> CreditWait | None:
    """None for a job that stands in no line."""
    line = line_of(job)
    if line is None or job.wait is None:
        return None
    return CreditWait(
        line=line,
        rank=job.wait.since - job.spec.priority * _PRIORITY_WEIGHT,
        short_usd=job.wait.short_usd if job.wait.short_usd is not None else Decimal(0),
    )


def waiter(job_id: JobId, rank: float, short_usd: Decimal) -> Waiter:
    """Whoever has this rank."""
    priority = -math.floor(rank / _PRIORITY_WEIGHT)
    return Waiter(job_id, short_usd, priority=priority, since=rank + priority * _PRIORITY_WEIGHT)
