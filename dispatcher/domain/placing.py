"""What becomes of a place that cannot be had now: the attempt goes on to the next one, or waits, or there is no other.

The places are asked one after another, each once; then the job waits, and begins with the first again. Pure.
"""

from decimal import Decimal

from dispatcher.domain import events as ev
from dispatcher.domain.attempts import ceiling
from dispatcher.domain.job import Job
from dispatcher.domain.money import format_usd
from dispatcher.domain.words import Reason


def too_dear(job: Job, hourly: Decimal) -> str | None:
    """Why the price of an hour at the attempt's place is more than may be paid; None if it is not."""
    most = ceiling(job.spec, job.at_place)
    if most is None or hourly <= most:
        return None
    return f"market {job.market} asks ${format_usd(hourly)} an hour, and ${format_usd(most)} may be paid"


def passed_over(
    job: Job, reason: Reason, detail: str, now: float, *, awaited: bool
) -> ev.Moved | ev.Waited | None:
    """The attempt's place cannot be had for `reason`. `awaited`: it may be had later.

    None if there is no other place, and none that is worth waiting for.
    """
    places = len(job.spec.places())
    if job.passed + 1 < places:
        place = (job.place + 1) % places
        return ev.Moved(at=now, place=place, reason=reason, detail=detail, awaited=awaited)
    if not (awaited or job.awaited):
        return None
    said = detail if places == 1 else f"none of its {places} places can be had; the last: {detail}"
    return ev.Waited(at=now, reason=Reason.AWAITING_PRICE, detail=said)
