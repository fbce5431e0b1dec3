"""Schedules come true: each occurrence is decided on once, written down, enqueued under its own request id, and noted.

Any number of ticks at once do no more than one, and a tick that dies leaves nothing half done. A decision is written
by compare-and-set, so that of several only one counts; it stands in the schedule's state before the job is enqueued,
and whoever finds it there does what is left of it. Enqueuing twice gives one job, since the request id is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from dispatcher.domain.budget import Budget
from dispatcher.domain.errors import (
    DispatcherError,
    InvalidRequest,
    NotPossible,
    RequestConflict,
    SettingsError,
    StoreUnavailable,
    TooManyJobs,
    UnknownJob,
    UnreadableRecord,
)
from dispatcher.domain.faults import Fault
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.schedules import Facts, Kept, Pending, ScheduleState, looked, step
from dispatcher.domain.schedules.decide import by_hand, enqueued, refusal, refused
from dispatcher.domain.schedules.state import wakes_at
from dispatcher.domain.view import timestamp
from dispatcher.engine import intake, operate
from dispatcher.engine.budgets import set_budget
from dispatcher.engine.parts import Parts
from dispatcher.engine.timetable import known, sync

_log = structlog.get_logger(__name__)

_STEPS: Final = 250
"""Occurrences of one schedule that one tick decides on; what is left is the next one's."""


_TOO_LATE: Final = (
    "may be of a job that is over and forgotten: it was decided on longer ago than jobs are kept"
)


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a tick did: jobs that it enqueued, schedules whose turn failed."""

    enqueued: tuple[JobId, ...] = ()
    failed: tuple[str, ...] = ()


def tick(parts: Parts) -> Ticked:
    """Keep in step with the settings' file, and enqueue what is due. Raises `StoreUnavailable`."""
    parts.schedules.note_tick(now=parts.clock.now())
    _keep_in_step(parts)
    jobs, failed = list[JobId](), list[str]()
    for name in parts.schedules.due(now=parts.clock.now()):
        try:
            jobs += come_true(parts, name)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - one schedule's trouble must not keep the others waiting
            _log.exception("schedule_failed", schedule=name)
            failed.append(name)
    _log.debug("schedule_tick", enqueued=len(jobs), failed=len(failed))
    return Ticked(tuple(jobs), tuple(failed))


def come_true(parts: Parts, name: str) -> list[JobId]:
    """Decide on what is due of one schedule, and enqueue it. The answer: the jobs, new or not."""
    jobs: list[JobId] = []
    for _ in range(_STEPS):
        kept = parts.schedules.get(name)
        if kept is None:
            break
        if kept.state.pending is not None:
            if (job_id := finish(parts, kept)) is not None:
                jobs.append(job_id)
            elif _is_waiting(parts.schedules.get(name), kept.state.pending):
                break
            continue
        now, facts = parts.clock.now(), facts_of(parts, kept)
        seen = looked(kept, facts, now)
        done = step(_with(kept, seen), facts, now, slack=3 * parts.pace(parts.timing.tick))
        state = seen if done is None else done.state
        if save(parts, kept, state) is None:
            continue
        _tell(kept, state)
        if done is None:
            break
    return jobs


def run_now(parts: Parts, name: str) -> JobId:
    """Enqueue the schedule's job now, beside its occurrences, even if it is paused or halted.

    Raises `UnknownSchedule`, and `NotPossible` where overlap or budget would have an occurrence left out.
    """
    token, asked = parts.new_id(), False
    for _ in range(_STEPS):
        kept = known(parts, name)
        request_id = kept.request_id_by_hand(token)
        if kept.state.pending is not None:
            waits = kept.state.pending
            job_id = finish(parts, kept)
            if job_id is not None and waits.request_id == request_id:
                return job_id
            if job_id is None and _is_waiting(parts.schedules.get(name), waits):
                raise NotPossible(f"{name} has an occurrence that cannot be enqueued: no more jobs are kept")
            continue
        if (there := parts.store.find(request_id)) is not None:
            return there
        if asked:
            raise NotPossible(f"{name} cannot be run: {kept.state.history[-1].why}")
        now, facts = parts.clock.now(), facts_of(parts, kept)
        seen = _with(kept, looked(kept, facts, now))
        if (why := refusal(seen, facts)) is not None:
            raise NotPossible(f"{name} is not run now: {why}")
        asked = save(parts, kept, by_hand(seen, request_id, now)) is not None
    raise NotPossible(f"the schedule {name} is being changed by others all the time: try again")


def facts_of(parts: Parts, kept: Kept) -> Facts:
    """What the decision about the schedule's next occurrence depends on."""
    jobs: dict[JobId, Job | None] = {}
    unreadable = set[JobId]()
    for job_id in kept.state.live:
        try:
            jobs[job_id] = parts.store.load(job_id)
        except UnreadableRecord:
            unreadable.add(job_id)
    allowance = kept.schedule.allowance()
    if allowance is None:
        return Facts(jobs, frozenset(unreadable))
    uses = parts.ledger.budgets(now=parts.clock.now())
    use = next((each for each in uses if _same(each.budget, allowance)), None)
    # Set when the schedule was; it is set again where somebody removed it, or died before.
    left = (use or set_budget(parts, allowance)).left
    return Facts(jobs, frozenset(unreadable), left)


def finish(parts: Parts, kept: Kept) -> JobId | None:
    """Enqueue the pending occurrence, and note what became of it; whoever was here before may have done any part.

    None if it could not be enqueued (which is noted, unless it is to be tried again), or if somebody else noted it.
    """
    pending, now = kept.state.pending, parts.clock.now()
    if pending is None:
        return None
    try:
        job_id = _enqueue(parts, kept, pending)
    except TooManyJobs as e:
        if now - pending.decided_at <= kept.schedule.misfire_grace.total_seconds():
            _log.warning("schedule_waits", schedule=kept.name, at=timestamp(pending.at), detail=str(e))
            return None
        _give_up(parts, kept, str(e))
        return None
    except InvalidRequest as e:
        _give_up(parts, kept, "; ".join(str(fault) for fault in e.faults))
        return None
    if pending.replaces:
        _stop(parts, kept, pending.after)
    if save(parts, kept, enqueued(kept, job_id, now)) is None:
        return _noted_elsewhere(parts, kept, pending, job_id)
    _log.info("schedule_enqueued", schedule=kept.name, at=timestamp(pending.at), job=job_id)
    return job_id


def save(parts: Parts, kept: Kept, state: ScheduleState) -> Kept | None:
    """Replace the state; None if somebody else was there first."""
    return parts.schedules.save(kept, state, wakes_at=wakes_at(kept.schedule, state))


def _enqueue(parts: Parts, kept: Kept, pending: Pending) -> JobId:
    # A request id that is known gives its job, whatever the schedule asks for by now.
    if (there := parts.store.find(pending.request_id)) is not None:
        return there
    before = tuple(job_id for job_id in pending.after if _is_there(parts, job_id))
    if parts.clock.now() - pending.decided_at >= parts.pace(parts.timing.retention):
        raise InvalidRequest([Fault("request_id", _TOO_LATE)])
    request = kept.schedule.request_of(pending.request_id, before)
    try:
        return intake.enqueue(parts, [request])[0].id
    except RequestConflict as e:
        return JobId(e.job_id)


def _noted_elsewhere(parts: Parts, kept: Kept, pending: Pending, job_id: JobId) -> JobId | None:
    """Somebody else noted the job, or changed the schedule while it was pending; then it is noted in what is there."""
    for _ in range(_STEPS):
        there = parts.schedules.get(kept.name)
        if there is None or there.generation != kept.generation or there.state.pending != pending:
            return None
        if save(parts, there, enqueued(there, job_id, parts.clock.now())) is not None:
            return job_id
    return None


def _is_there(parts: Parts, job_id: JobId) -> bool:
    try:
        return parts.store.load(job_id) is not None
    except UnreadableRecord:
        return True


def _is_waiting(there: Kept | None, pending: Pending) -> bool:
    return there is not None and there.state.pending == pending


def _stop(parts: Parts, kept: Kept, job_ids: Sequence[JobId]) -> None:
    for job_id in job_ids:
        try:
            operate.stop(parts, job_id, by=f"schedule {kept.name}")
        except UnknownJob:
            pass
        except NotPossible as e:
            _log.warning("schedule_cannot_replace", schedule=kept.name, job=job_id, detail=str(e))


def _give_up(parts: Parts, kept: Kept, why: str) -> None:
    pending = kept.state.pending
    if pending is None or save(parts, kept, refused(kept, why, parts.clock.now())) is None:
        return
    _log.error("schedule_refused", schedule=kept.name, at=timestamp(pending.at), detail=why[:500])


def _with(kept: Kept, state: ScheduleState) -> Kept:
    return Kept(kept.schedule, state, kept.generation, kept.version, kept.source)


def _same(one: Budget, other: Budget) -> bool:
    return (one.scope, one.window) == (other.scope, other.window)


def _tell(kept: Kept, state: ScheduleState) -> None:
    before, history = kept.state, state.history
    if state.skipped > before.skipped:
        last = history[-1]
        _log.info("schedule_skipped", schedule=kept.name, at=timestamp(last.at), detail=last.why)
    if state.missed > before.missed:
        last, count = history[-1], state.missed - before.missed
        _log.warning(
            "schedule_missed", schedule=kept.name, until=timestamp(last.at), count=count, detail=last.why
        )
    if state.halted is not None and before.halted is None:
        _log.error("schedule_halted", schedule=kept.name, detail=state.halted)


def _keep_in_step(parts: Parts) -> None:
    """What the file says must not keep from running what the store has."""
    try:
        written = parts.written_schedules()
        if written is not None:
            sync(parts, written)
    except StoreUnavailable:
        raise
    except (InvalidRequest, SettingsError) as e:
        _log.error("schedules_file_refused", detail=str(e)[:2000])
    except DispatcherError as e:
        _log.error("schedules_not_synced", detail=str(e)[:2000])
