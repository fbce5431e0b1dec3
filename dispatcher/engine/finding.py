"""Finds out whether a call landed, on an account without idempotency keys: a post by its definition's CID among the
account's jobs, an extension by the time-out that the job's record shows.

When to look, and when to stop looking, is the planner's (`domain/rules_unkeyed`); what is looked at stands here.
"""

from typing import Final

import structlog

from dispatcher.domain import events as ev
from dispatcher.domain.costs import rate
from dispatcher.domain.errors import Bug, NotSent, ProviderError, SettingsError
from dispatcher.domain.ids import RemoteAddress
from dispatcher.domain.job import Call, Job, Operation, Phase
from dispatcher.domain.money import price
from dispatcher.engine.parts import Parts
from dispatcher.engine.projects import knowing
from dispatcher.ports.provider import ListedJob, Provider

_log = structlog.get_logger(__name__)

_PAGE: Final = 50
_PAGES: Final = 4
"""The network lets one address ask for 20 pages in 30 s (Nosana indexer): one job may not take them all."""

_CLOCKS_APART: Final = 600.0
"""Seconds by which a host's clock may be behind ours: so much earlier than it was posted a job may seem to start."""

_NO_PROJECT: Final = (
    "the account's own address on the network is not known, so its jobs cannot be listed: set "
    "DISPATCHER_NOSANA_PROJECT (or DISPATCHER_ACCOUNTS__<NAME>__PROJECT)"
)
_NO_STAMP: Final = "its definition was enqueued without a stamp, so that other jobs may have the same CID"


class _Incomplete(Exception):
    """The list could not be seen whole: what it does not show may be there."""


def find(parts: Parts, job: Job) -> ev.Event:
    """One look for the job's post."""
    call = _call(job)
    event = _look(parts, job, call)
    if _is_parked(call) and isinstance(event, ev.CallSought) and event.error and event.held_until is None:
        _remind(job, event.error)
    return event


def held_back(parts: Parts, call: Call, held: NotSent) -> ev.CallSought:
    """The network was not asked: that is no look."""
    now = parts.clock.now()
    return ev.CallSought(at=now, key=call.key, error=str(held), held_until=now + (held.retry_after or 0))


def found(parts: Parts, job: Job, address: RemoteAddress, seconds: int, *, by: str) -> ev.Event:
    """The job is at `address`, with `seconds` of run time allowed: the hold is the network's now."""
    if job.quote is None:
        raise Bug(f"{job.id} has no quote")
    amount = price(job.quote.rate_per_hour, seconds)
    parts.ledger.confirm(job.spec.account, job.quote.hold, amount)
    return ev.PostFound(
        at=parts.clock.now(), key=_call(job).key, address=address, seconds=seconds, amount=amount, by=by
    )


def take_extended(parts: Parts, job: Job) -> ev.Event:
    """The record shows the extension: it is what its answer would have been."""
    call, hourly = _call(job), rate(job)
    if hourly is None or call.hold is None:
        raise Bug(f"{job.id} has an extension without a price")
    amount = price(hourly, call.seconds)
    parts.ledger.confirm(job.spec.account, call.hold, amount)
    return ev.Extended(at=parts.clock.now(), key=call.key, seconds=call.seconds, amount=amount)


def disown(parts: Parts, job: Job) -> ev.Event:
    """The call did not land. The hold of a post is freed when the next one is held: not before this is saved."""
    call = _call(job)
    if call.operation is Operation.EXTEND and call.hold is not None:
        parts.ledger.void(job.spec.account, call.hold)
    return ev.CallNotFound(at=parts.clock.now(), operation=call.operation, key=call.key, by="search")


def park(parts: Parts, job: Job) -> ev.Event:
    """A person is asked what became of the post."""
    call = _call(job)
    why = call.search.error if call.search is not None else None
    detail = (
        f"whether its post landed cannot be found out here ({why or 'no look told anything'}; {call.error}): "
        f"look for a job with the CID {job.cid} among the account's jobs on the network, then "
        f"`dispatcher resolve {job.id} --posted ADDRESS`, or `--not-posted` if it is not there"
    )
    _remind(job, detail)
    return ev.CallUnresolved(at=parts.clock.now(), key=call.key, detail=detail)


def _look(parts: Parts, job: Job, call: Call) -> ev.Event:
    def told_nothing(error: str, *, hopeless: bool = False) -> ev.Event:
        return ev.CallSought(at=parts.clock.now(), key=call.key, error=error, hopeless=hopeless)

    if not job.stamped:
        return told_nothing(_NO_STAMP, hopeless=True)
    try:
        provider = knowing(parts, job.spec.account)
        if not provider.capabilities.finds:
            return told_nothing(_NO_PROJECT, hopeless=True)
        there = _search(provider, job, call)
    except NotSent as e:
        return held_back(parts, call, e)
    except (ProviderError, SettingsError, _Incomplete) as e:
        return told_nothing(str(e))
    if not there:
        return ev.CallSought(at=parts.clock.now(), key=call.key)
    if len(there) > 1:
        _log.error("posted_more_than_once", job=job.id, addresses=[each.address for each in there])
    first = min(
        there, key=lambda each: (each.phase not in (Phase.QUEUED, Phase.RUNNING), each.listed_at or 0)
    )
    return found(parts, job, first.address, first.timeout, by="search")


def _search(provider: Provider, job: Job, call: Call) -> list[ListedJob]:
    """The account's jobs with this CID: among those in the queue, then among those that started since it was posted.

    In this order, since a job goes from the one to the other. Those that never started come last in the network's
    list, behind everything that ever ran: they are asked for by themselves.
    """
    queued = _matching(provider, job, Phase.QUEUED, None)
    return queued or _matching(provider, job, None, call.intended_at - _CLOCKS_APART)


def _matching(provider: Provider, job: Job, phase: Phase | None, since: float | None) -> list[ListedJob]:
    market = job.quote.market if job.quote is not None else None
    seen: dict[RemoteAddress, ListedJob] = {}
    for page in range(_PAGES):
        rows = provider.list_jobs(phase=phase, market=market, limit=_PAGE, offset=page * _PAGE)
        if matching := [row for row in rows if row.cid == job.cid]:
            return matching
        if any(row.cid is None for row in rows if since is None or (row.started_at or 0) >= since):
            raise _Incomplete("the network's list has a job without the CID of its definition")
        if any(row.address in seen for row in rows):
            raise _Incomplete("the network's list changed while it was read")
        seen |= {row.address: row for row in rows}
        starts = [row.started_at or 0 for row in rows]
        if since is not None and starts != sorted(starts, reverse=True):
            raise _Incomplete("the network's list is not in the order in which its jobs started")
        if len(rows) < _PAGE or (since is not None and starts[-1] < since):
            return []
    raise _Incomplete(f"the account has more than {_PAGES * _PAGE} jobs to look through")


def _remind(job: Job, detail: str) -> None:
    _log.warning("job_unresolved", job=job.id, account=job.spec.account, cid=job.cid, detail=detail)


def _is_parked(call: Call) -> bool:
    return call.search is not None and call.search.parked_at is not None


def _call(job: Job) -> Call:
    if job.call is None:
        raise Bug(f"{job.id} has no call to find out about")
    return job.call
