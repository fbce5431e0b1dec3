"""What the end of an attempt makes of the record: the next one begins as a new job does, and keeps what was spent."""

from typing import Any, Final

from dispatcher.domain import events as ev
from dispatcher.domain.attempts import FRESH, site
from dispatcher.domain.errors import Bug
from dispatcher.domain.job import Attempt, Job, Spend, Wait
from dispatcher.domain.words import Reason

_OF_AN_ATTEMPT: Final = "stop.after"


def attempt_ended(job: Job, event: ev.AttemptEnded) -> dict[str, Any]:
    if job.call is not None and job.remote is None:
        raise Bug(f"an attempt of {job.id} cannot end while its post is open")
    remote = job.remote
    over = Attempt(
        number=job.attempt,
        market=job.quote.market if job.quote is not None else job.market,
        account=job.account,
        address=None if remote is None else remote.address,
        node=None if remote is None else remote.node,
        posted_at=None if remote is None else remote.posted_at,
        started_at=None if remote is None else remote.started_at,
        ended_at=event.at,
        state=event.state,
        reason=event.reason,
        exit_code=event.ending.exit_code,
        detail=event.ending.detail,
        cost=event.settled,
        extends=job.extends,
    )
    waiting = Wait(
        reason=Reason.RETRYING,
        since=event.at,
        last=event.at,
        tries=0,
        detail=f"attempt {event.attempt} ended: {event.reason}",
        retry_at=event.retry_at,
    )
    return {
        **FRESH,
        "reason": Reason.RETRYING,
        "wait": waiting,
        # Limits on an attempt begin anew; of those on the whole job it was warned once.
        "warned": tuple(limit for limit in job.warned if limit != _OF_AN_ATTEMPT),
        "no_extends": None if job.no_extends == _OF_AN_ATTEMPT else job.no_extends,
        "attempt": job.attempt + 1,
        "place": event.place,
        "site": site(job.spec, event.place),
        "rapid": event.rapid,
        "earlier": (*job.earlier, over),
        "spend": Spend(earlier=job.spend.earlier + event.settled, kept=event.keep),
    }


def moved(job: Job, event: ev.Moved) -> dict[str, Any]:
    """What it waits for is kept: the ladder, and patience, go on from place to place."""
    return {
        "place": event.place,
        "site": site(job.spec, event.place),
        "passed": job.passed + 1,
        "awaited": job.awaited or event.awaited,
        "quote": None,
        "lost_hold": None,
    }


def all_passed(job: Job) -> dict[str, Any]:
    """No place is to be had now: the next round begins where this one did."""
    first = (job.place - job.passed) % len(job.spec.places())
    return {"place": first, "site": site(job.spec, first), "passed": 0, "awaited": False, "lost_hold": None}


def released(event: ev.Released) -> dict[str, Any]:
    return {"released": True, "cid": event.cid, "wait": None, "reason": Reason.NEW}
