"""What operators do with dead letters: try them again, or drop them for good."""

from collections.abc import Sequence

import structlog

from dispatcher.domain.costs import ZERO
from dispatcher.domain.crashes import Trouble
from dispatcher.domain.dropping import dropped, may_be_alive
from dispatcher.domain.errors import Bug, DispatcherError, NotPossible, UnknownJob, UnreadableRecord
from dispatcher.domain.events import Event
from dispatcher.domain.ids import JobId, LeaseToken
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply, replay
from dispatcher.domain.rules.stopping import policy_stop
from dispatcher.domain.words import FollowUp
from dispatcher.engine.attempts import close_books, is_between, settle_last
from dispatcher.engine.bell import ring
from dispatcher.engine.closing import close, wake_dependents
from dispatcher.engine.parts import Parts
from dispatcher.ports.dead import Unreadable
from dispatcher.ports.store import Claim

_log = structlog.get_logger(__name__)

_AT_ONCE = 500

_STOP_AGAIN = 300.0
"""Seconds of the wall's time from the last crash of a dead letter to the next try of its stop."""


def retry(parts: Parts, job_ids: Sequence[JobId]) -> list[JobId]:
    """Try dead letters again, each as often as a new job; the answer names those that were dead."""
    revived = parts.store.revive(job_ids, now=parts.clock.now())
    ring(parts.waker, FollowUp.DISPATCH, revived)
    return revived


def retry_all(parts: Parts) -> list[JobId]:
    """Try all again that are dead now."""
    return retry(parts, [letter.job_id for letter in _letters(parts)])


def _letters(parts: Parts) -> list[Trouble]:
    """All that are dead now, in few round trips."""
    pages = range(0, parts.store.count_dead(), _AT_ONCE)
    return [each for at in pages for each in parts.store.dead_letters(limit=_AT_ONCE, offset=at)]


def rescue(parts: Parts) -> list[JobId]:
    """Try those dead letters again whose stop is due while they may be alive on the network; the answer names them.

    A stop matters more than sparing a worker: they are tried again and again, at the pace of `_STOP_AGAIN`.
    """
    now = parts.clock.now()
    rested = [each.job_id for each in _letters(parts) if now - each.at >= parts.pace(_STOP_AGAIN)]
    due = [job_id for job_id in rested if _stop_is_due(parts, job_id, now)]
    for job_id in due:
        _log.warning("dead_letter_tried_for_its_stop", job=job_id)
    revived = parts.store.revive(due, now=now)
    ring(parts.waker, FollowUp.STOP, revived)
    return revived


def _stop_is_due(parts: Parts, job_id: JobId, now: float) -> bool:
    try:
        job = parts.store.load(job_id)
    except UnreadableRecord:
        return False  # another try cannot read it either
    if job is None or may_be_alive(job) is None:
        return False
    by_policy = policy_stop(job)
    return job.stop is not None or (by_policy is not None and by_policy.at <= now)


def drop(parts: Parts, job_id: JobId, *, by: str, running: bool = False) -> Job | None:
    """End a dead letter for good: failed, reason `dropped`, its holds settled, forgotten after its retention. Nothing
    is asked of the network. The answer is the record then, None where it cannot be read.

    A job that never reached the network is settled at nothing, another at all that may be reserved for it.
    `running`: also if it may be alive on the network. Its request id stays known as long as the job.

    Raises `UnknownJob`, and `NotPossible` for a job that is not dead, and for one that may be alive.
    """
    trouble = parts.store.trouble(job_id)
    if trouble is None or not trouble.dead or trouble.dropped_at is not None:
        raise not_dead(parts, job_id)
    job, told = known(parts, job_id)
    _check_alive(job_id, told, running=running)
    lease = parts.pace(parts.timing.lease)
    token = parts.store.exhume(job_id, trouble.token, now=parts.clock.now(), lease=lease)
    if token is None:
        raise NotPossible(f"{job_id} was not dropped: something happened to it meanwhile; look again")
    _log.info("job_dropped", job=job_id, by=by, reason=trouble.reason)
    if job is None:
        if told is not None and is_between(told):
            settle_last(parts, told)
        _discard(parts, job_id, token, _ended(told, trouble, by, parts.clock.now()))
        return None
    return _end(parts, Claim(job, token, ()), trouble, by)


def known(parts: Parts, job_id: JobId) -> tuple[Job | None, Job | None]:
    """The record, or None if it cannot be read; and what is known of the job: the record, or else what its log leads
    to (but for counters of looks), or None if that cannot be read either."""
    try:
        job = parts.store.load(job_id)
    except UnreadableRecord:
        return None, _replayed(parts, job_id)
    return job, job


def alive(told: Job | None) -> str | None:
    """What may go on and cost on the network for a job that nobody looks after; None if surely nothing does."""
    return "nothing of it can be read, so it may be on the network" if told is None else may_be_alive(told)


def _replayed(parts: Parts, job_id: JobId) -> Job | None:
    events: list[Event] = []
    for entry in parts.store.log(job_id):
        if isinstance(entry, Unreadable):
            return None
        events.append(entry)
    try:
        return replay(events)
    except Bug:
        return None


def _check_alive(job_id: JobId, told: Job | None, *, running: bool) -> None:
    if not running and (why := alive(told)) is not None:
        raise NotPossible(
            f"{job_id} was not dropped: {why}. `dispatcher stop {job_id}` tries to stop it; "
            f"`dispatcher dead drop {job_id} --running` drops it all the same"
        )


def _end(parts: Parts, claim: Claim, trouble: Trouble, by: str) -> Job:
    """In the order of every end: saved first, since only the lease says that nobody else has the job; then the books
    are closed, and last it leaves the agenda. Whoever dies in between is followed by a worker."""
    now, job = parts.clock.now(), claim.job
    before = job
    log: list[Event] = []
    if not job.state.is_final:
        log = [dropped(job, now, by=by, reason=trouble.reason)]
        job = apply(job, log[0])
    claim = parts.store.save(claim, job, log, now=now, lease=parts.pace(parts.timing.lease))
    for event in log:
        parts.observer.observed(job, event)
    if is_between(before):
        settle_last(parts, before)
    close_books(parts, job)
    due, retention = close(parts, job), parts.pace(parts.timing.retention)
    taken = len(claim.commands)
    parts.store.release(claim, job, [], now=parts.clock.now(), due=due, retention=retention, taken=taken)
    return job


def _ended(told: Job | None, trouble: Trouble, by: str, now: float) -> Job | None:
    """The end of a job that is known by its log alone."""
    if told is None or told.state.is_final:
        return told
    return apply(told, dropped(told, now, by=by, reason=trouble.reason))


def _discard(parts: Parts, job_id: JobId, token: LeaseToken, told: Job | None) -> None:
    """The record stays as it is, unread; what its log says is settled, and told to the application."""
    if told is not None:
        close_books(parts, told)
        if close(parts, told) is not None:
            raise NotPossible(f"{job_id} was not dropped: its callback cannot be sent now; try again")
    else:
        for account in parts.providers.names():  # one of them holds credits for it
            parts.ledger.settle(account, job_id, ZERO)
    retention = parts.pace(parts.timing.retention)
    if not parts.store.discard(job_id, token, now=parts.clock.now(), retention=retention):
        raise NotPossible(f"{job_id} was not dropped: it took too long; try again")
    wake_dependents(parts, job_id)


def not_dead(parts: Parts, job_id: JobId) -> DispatcherError:
    """The error for a job that is no dead letter, or is not there."""
    if parts.store.raw(job_id) is None:
        return UnknownJob(job_id)
    return NotPossible(f"{job_id} is no dead letter: `dispatcher dead list` shows those that are")
