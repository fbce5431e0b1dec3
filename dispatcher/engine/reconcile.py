"""Reconciliation: what does not fit together is found and derived again, from the records and from the network.

Nothing here is needed on a good day. Level-triggered work loses no job as long as the agenda is whole; this is for the
day on which it is not: a store that was restored or meddled with, a bug, a job on the network that nobody has. A round
is bounded, and the next one goes on where it stopped. It may run at any moment and in any number: what it finds it
finds in one atomic step, and what it asks of a job is done by the job's own worker.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from dispatcher.domain.costs import ZERO, last_cost
from dispatcher.domain.errors import ProviderError, SettingsError
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.punctual import is_late
from dispatcher.domain.words import Operation
from dispatcher.engine import dead
from dispatcher.engine.books import audit_books
from dispatcher.engine.keys import hold_name
from dispatcher.engine.parts import Parts
from dispatcher.engine.strays import Sighting, look_for_strays
from dispatcher.ports.ledger import kept_name
from dispatcher.ports.mending import Checked, Damage, Source
from dispatcher.ports.store import Command

_log = structlog.get_logger(__name__)

_QUOTAS: Final = {
    Source.LIVE: 400,
    Source.AGENDA: 150,
    Source.WAITING: 50,
    Source.ENDED: 50,
    Source.RECORDS: 350,
}
"""Jobs that one round looks at, about a thousand in all; of records, the keys that are gone through."""

_HOLDS: Final = 1000
"""Jobs with holds that one round looks at, for each account."""

_TURN: Final = 0.75
"""The part of the period in which nobody else gets the turn: two beats are never quite in step."""

AccountCheck = Callable[[Parts, AccountName], object]

ACCOUNT_CHECKS: Final[tuple[AccountCheck, ...]] = (audit_books,)
"""What else is looked at once in a round for each account. May raise `ProviderError` and `SettingsError`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something was not as it should be, and was put right. `job` may not exist."""

    job: JobId
    what: str


@dataclass(slots=True)
class Round:
    """What came of a round. `unseen`: what could not be looked at, and why."""

    looked_at: set[JobId] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    sightings: dict[AccountName, Sighting] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)


def reconcile_in_turn(parts: Parts) -> Round | None:
    """A bounded round, if nobody else has just made one."""
    period = parts.pace(parts.timing.reconcile) * _TURN
    if not parts.store.take_turn("reconcile", now=parts.clock.now(), period=period):
        return None
    return reconcile(parts)


def reconcile(parts: Parts, *, whole: bool = False) -> Round:
    """A bounded round from where the last one stopped; or once through everything if `whole`.

    Raises `StoreUnavailable`. A network that does not answer is told in the answer.
    """
    found = Round()
    for source, quota in _QUOTAS.items():
        _look_over(parts, source, quota, found, whole=whole)
    for job_id in dead.rescue(parts):
        _found(found, job_id, "a dead letter whose stop is due was tried again")
    for account in parts.providers.names():
        _close_books(parts, account, found, whole=whole)
        _look_at_account(parts, account, found, whole=whole)
    if not found.findings:
        _log.debug("reconcile_found_nothing", looked_at=len(found.looked_at))
    return found


def _look_over(parts: Parts, source: Source, quota: int, found: Round, *, whole: bool) -> None:
    """The jobs of one source, a chunk at a time; the bookmark is set before the next one, so that trouble with one
    chunk does not keep the others from being looked at."""
    bookmark, left = f"walked:{source}", quota
    cursor = "" if whole else parts.store.bookmark(bookmark)
    while whole or left > 0:
        walked = parts.store.walk(source, cursor, quota if whole else left)
        cursor = walked.cursor
        if not whole:
            parts.store.set_bookmark(bookmark, cursor)
        left -= max(len(walked.ids), 1)
        _mend(parts, walked.ids, found)
        if not cursor:
            return


def _mend(parts: Parts, job_ids: tuple[JobId, ...], found: Round) -> None:
    now, timing = parts.clock.now(), parts.timing
    grace = parts.pace(timing.lease + timing.grace)
    new = [job_id for job_id in job_ids if job_id not in found.looked_at]
    found.looked_at.update(new)
    for checked in parts.store.mend(new, now=now, grace=grace):
        damages = list(checked.damages)
        if not damages and (late := _late(checked, now, grace, parts.pace(timing.late))) is not None:
            word = Command("mended", by="reconcile", at=now, detail=late.value)
            parts.store.command(checked.id, word, now=now)
            damages.append(late)
        for damage in damages:
            _found(found, checked.id, damage.value)


def _late(checked: Checked, now: float, grace: float, slack: float) -> Damage | None:
    """Whether the agenda has the job much later than the planner; sooner so if its worker is gone."""
    job, due_at, lease = checked.job, checked.due_at, checked.lease_until
    if job is None or due_at is None or (lease is not None and lease > now):
        return None
    if lease is not None and lease < now - grace and is_late(job, due_at, now, grace):
        return Damage.LAPSED
    return Damage.LATE if is_late(job, due_at, now, slack) else None


def _close_books(parts: Parts, account: AccountName, found: Round, *, whole: bool) -> None:
    """Holds of jobs that are over, or do not exist, are closed."""
    bookmark = f"held:{account}"
    after = "" if whole else parts.store.bookmark(bookmark)
    while True:
        first = JobId(after) if after else None
        held = dict(parts.ledger.jobs_with_holds(account, _HOLDS, first))
        after = max(held) if len(held) == _HOLDS else ""
        if not whole:
            parts.store.set_bookmark(bookmark, after)
        closed = [job_id for job_id in parts.store.over(list(held)) if _is_closed(parts, job_id)]
        if closed:
            # Looked at again: holds that are there after the job was closed are nobody's any more.
            held = dict(parts.ledger.jobs_with_holds(account, _HOLDS, first))
        for job_id in closed:
            if job_id in held:
                _settle(parts, account, job_id)
                _found(found, job_id, f"${held[job_id]} of account {account} were still held for it")
        if not (whole and after):
            return


def _is_closed(parts: Parts, job_id: JobId) -> bool:
    """Whether no worker is about to close the books of a job that is over, or was."""
    return parts.store.next_due(job_id) is None


def _settle(parts: Parts, account: AccountName, job_id: JobId) -> None:
    job = parts.store.load(job_id)
    for name in _holds_of(job) if job is not None else ():
        parts.ledger.void(account, name)
    # Of a job without a record nothing is known: what it did cost, the account's books show as spent by others. What
    # it did cost on another account than its last one was settled there, attempt by attempt.
    cost = last_cost(job) if job is not None and job.account == account else ZERO
    parts.ledger.settle(account, job_id, cost)


def _look_at_account(parts: Parts, account: AccountName, found: Round, *, whole: bool) -> None:
    try:
        sighting = look_for_strays(parts, account, whole=whole)
        found.sightings[account] = sighting
        for check in ACCOUNT_CHECKS:
            check(parts, account)
    except (ProviderError, SettingsError) as e:
        found.unseen.append(f"account {account}: {e}")
        _log.warning("reconcile_incomplete", account=account, error=str(e))


def _holds_of(job: Job) -> list[HoldId]:
    """Every hold that the job can have had: they are named after its calls, but for what went from one attempt to the
    next."""
    posts = [hold_name(job.id, Operation.POST, ordinal) for ordinal in range(1, job.posts + 2)]
    extensions = [hold_name(job.id, Operation.EXTEND, ordinal) for ordinal in range(1, job.extend_calls + 2)]
    return [kept_name(job.id), *posts, *extensions]


def _found(found: Round, job_id: JobId, what: str) -> None:
    found.findings.append(Finding(job_id, what))
    _log.warning("reconcile_mended", job=job_id, what=what)
