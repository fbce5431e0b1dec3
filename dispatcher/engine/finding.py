"""Finds out whether a call landed, on an account without idempotency keys: a post by its definition's CID among the
account's jobs, an extension by the time-out that the job's record shows.

When to look, and when to stop looking, is the planner's (`domain/rules_unkeyed`); what is looked at stands here.
"""

import math
from typing import Final

import structlog

from dispatcher.domain import events as ev
from dispatcher.domain.costs import rate
from dispatcher.domain.errors import Bug, NotSent, ProviderError, SettingsError
from dispatcher.domain.ids import RemoteAddress
from dispatcher.domain.job import Call, Job
from dispatcher.domain.money import price
from dispatcher.domain.words import Operation, Phase
from dispatcher.engine.lists import PAGE, Page
from dispatcher.engine.parts import Parts
from dispatcher.engine.projects import knowing
from dispatcher.ports.provider import ListedJob, Provider

_log = structlog.get_logger(__name__)

_PAGES: Final = 4
"""The network lets one address ask for 20 pages in 30 s (Nosana indexer): one job may not take them all."""

_REMEMBERED: Final = 60.0
"""Seconds of the wall's time for which a page will do that was read for another job, or before a look was held back."""

_TOGETHER: Final = 30.0
"""Seconds of the wall's time within which all pages of a list must be read: jobs move from page to page."""

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
    parts.ledger.confirm(job.account, job.quote.hold, amount)
    return ev.PostFound(
        at=parts.clock.now(), key=_call(job).key, address=address, seconds=seconds, amount=amount, by=by
    )


def take_extended(parts: Parts, job: Job) -> ev.Event:
    """The record shows the extension: it is what its answer would have been."""
    call, hourly = _call(job), rate(job)
    if hourly is None or call.hold is None:
        raise Bug(f"{job.id} has an extension without a price")
    amount = price(hourly, call.seconds)
    parts.ledger.confirm(job.account, call.hold, amount)
    return ev.Extended(at=parts.clock.now(), key=call.key, seconds=call.seconds, amount=amount)


def disown(parts: Parts, job: Job) -> ev.Event:
    """The call did not land. The hold of a post is freed when the next one is held: not before this is saved."""
    call = _call(job)
    if call.operation is Operation.EXTEND and call.hold is not None:
        parts.ledger.void(job.account, call.hold)
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
        provider = knowing(parts, job.account)
        if not provider.capabilities.finds:
            return told_nothing(_NO_PROJECT, hopeless=True)
        there, as_of = _search(parts, provider, job, call)
    except NotSent as e:
        return held_back(parts, call, e)
    except (ProviderError, SettingsError, _Incomplete) as e:
        return told_nothing(str(e))
    if not there:
        return ev.CallSought(at=parts.clock.now(), key=call.key, as_of=as_of)
    if len(there) > 1:
        _log.error("posted_more_than_once", job=job.id, addresses=[each.address for each in there])
    first = min(
        there, key=lambda each: (each.phase not in (Phase.QUEUED, Phase.RUNNING), each.listed_at or 0)
    )
    return found(parts, job, first.address, first.timeout, by="search")


def _search(parts: Parts, provider: Provider, job: Job, call: Call) -> tuple[list[ListedJob], float]:
    """The account's jobs with this CID: among those in the queue, then among those that started since it was posted;
    and when the first page was asked for.

    In this order, since a job goes from the one to the other. Those that never started come last in the network's
    list, behind everything that ever ran: they are asked for by themselves.
    """
    lists = _Reader(parts, provider, job)
    queued = lists.matching(Phase.QUEUED, None)
    return queued or lists.matching(None, call.intended_at - _CLOCKS_APART), lists.as_of


class _Reader:
    """Reads lists page by page, each page later than the one before, and all of them later than the job's last look."""

    def __init__(self, parts: Parts, provider: Provider, job: Job) -> None:
        self._parts, self._provider, self._job = parts, provider, job
        now, search = parts.clock.now(), _call(job).search
        last = None if search is None else search.looked_at or search.since
        oldest = now - parts.pace(_REMEMBERED)
        # A moment later than the last look: the same page does not count twice.
        self._since = oldest if last is None else max(oldest, math.nextafter(last, math.inf))
        self.as_of = now

    def matching(self, phase: Phase | None, since: float | None) -> list[ListedJob]:
        """Jobs with the CID that are of no earlier attempt; all phases if none is named, until the first that started
        before `since`."""
        seen: set[RemoteAddress] = set()
        over = {attempt.address for attempt in self._job.earlier}
        begun: float | None = None
        for number in range(_PAGES):
            page = self._page(phase, number)
            if matching := [row for row in page.rows if row.cid == self._job.cid and row.address not in over]:
                return matching
            begun = page.asked_at if begun is None else begun
            if page.answered_at - begun > self._parts.pace(_TOGETHER):
                raise _Incomplete("the pages of the network's list were not read in time")
            _check(page.rows, seen, since)
            seen |= {row.address for row in page.rows}
            if len(page.rows) < PAGE or (since is not None and (page.rows[-1].started_at or 0) < since):
                return []
        raise _Incomplete(f"the account has more than {_PAGES * PAGE} jobs to look through")

    def _page(self, phase: Phase | None, number: int) -> Page:
        page = self._parts.lists.page(
            self._provider,
            self._job.account,
            number,
            phase=phase,
            market=self._job.quote.market if self._job.quote is not None else None,
            since=self._since,
            now=self._parts.clock.now,
        )
        self._since = page.answered_at
        self.as_of = min(self.as_of, page.asked_at)
        return page


def _check(rows: tuple[ListedJob, ...], seen: set[RemoteAddress], since: float | None) -> None:
    """Raises `_Incomplete` for a page that may hide a job, or after which the next one may."""
    if any(row.cid is None for row in rows if since is None or (row.started_at or 0) >= since):
        raise _Incomplete("the network's list has a job without the CID of its definition")
    if any(row.address in seen for row in rows):
        raise _Incomplete("the network's list changed while it was read")
    starts = [row.started_at or 0 for row in rows]
    if since is not None and starts != sorted(starts, reverse=True):
        raise _Incomplete("the network's list is not in the order in which its jobs started")


def _remind(job: Job, detail: str) -> None:
    _log.warning("job_unresolved", job=job.id, account=job.account, cid=job.cid, detail=detail)


def _is_parked(call: Call) -> bool:
    return call.search is not None and call.search.parked_at is not None


def _call(job: Job) -> Call:
    if job.call is None:
        raise Bug(f"{job.id} has no call to find out about")
    return job.call
