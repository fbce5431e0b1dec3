"""What is done for the next occurrence of a schedule: enqueue it, or leave it out, and why."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, islice
from typing import Final, Literal

from dispatcher.domain.costs import run_seconds
from dispatcher.domain.duration import format_duration
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.money import format_usd
from dispatcher.domain.policies import RapidEnds
from dispatcher.domain.schedules.schedule import Schedule
from dispatcher.domain.schedules.state import Kept, Occurred, Pending, ScheduleState
from dispatcher.domain.words import State

QUEUE_AT_MOST: Final = 10
"""Jobs of a schedule that are not over; with more, occurrences are left out rather than queued up without end."""

_AT_ONCE: Final = 10_000
"""Occurrences that are looked at in one step."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the world. `jobs`: the records of the schedule's live jobs; None for one that is not kept any
    more. `unreadable`: those of them that cannot be read, and so may be alive. `left`: US dollars that the schedule's
    budget still allows; None without a budget."""

    jobs: Mapping[JobId, Job | None] = field(default_factory=dict)
    unreadable: frozenset[JobId] = frozenset()
    left: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One occurrence decided on. The state has it in its history, or, if it is to be enqueued, pending."""

    state: ScheduleState
    left_out: Occurred | None = None


def looked(kept: Kept, facts: Facts, now: float) -> ScheduleState:
    """The state after a look at the schedule's live jobs: those that are over leave it, and count as rapid ends."""
    state = kept.state
    live, history = list[JobId](), state.history
    rapid, halted, held = state.rapid, state.halted, state.first_hold
    rule = kept.schedule.rapid
    for job_id in state.live:
        job = facts.jobs.get(job_id)
        if job is not None and job.quote is not None:
            held = job.quote.amount
        if job_id in facts.unreadable or (job is not None and not job.state.is_final):
            live.append(job_id)
            continue
        if job is None:
            continue
        history = tuple(
            entry.model_copy(update={"end": f"{job.state} ({job.reason})"}) if entry.job == job_id else entry
            for entry in history
        )
        rapid = _rapid(job, rule, rapid)
        if rapid >= rule.halt_after and halted is None:
            halted = (
                f"{rapid} jobs in a row failed within {format_duration(rule.within)}, the last was {job_id} "
                f"({job.reason}): see `dispatcher show {job_id}`, then `dispatcher schedule resume {kept.name}`"
            )
    return state.model_copy(
        update={
            "live": tuple(live),
            "history": history,
            "rapid": rapid,
            "passed": state.passed if rapid else 0,
            "halted": halted,
            "first_hold": held,
            "looked_at": now,
        }
    )


def step(kept: Kept, facts: Facts, now: float, *, slack: float = 0.0) -> Step | None:
    """Decide on the next occurrence, if it is due: one at a time, in order. `kept` was just looked at.

    `slack`: seconds after which somebody looks again, so that being late by as much is nobody's absence.
    """
    schedule, state = kept.schedule, kept.state
    if not state.is_active or state.pending is not None:
        return None
    due = [*islice(_due(schedule, state, now), _AT_ONCE)]
    if not due:
        return None
    grace = max(schedule.misfire_grace.total_seconds(), slack)
    late = sum(now - schedule.fires_at(at) > grace for at in due)
    if left_out := _missed(schedule, late, len(due)):
        last = due[left_out - 1]
        noted = Occurred(at=last, noted_at=now, what="missed", why=_NOBODY[schedule.misfire], count=left_out)
        return Step(_past(schedule, state, last).noted(noted), noted)
    at = due[0]
    state = _past(schedule, state, at)
    if _slowed(schedule.rapid, state):
        why = (
            f"slowed down: {state.rapid} jobs in a row failed within {format_duration(schedule.rapid.within)}"
        )
        noted = Occurred(at=at, noted_at=now, what="skipped", why=why)
        return Step(state.model_copy(update={"passed": state.passed + 1}).noted(noted), noted)
    if (against := refusal(kept, facts)) is not None:
        noted = Occurred(at=at, noted_at=now, what="skipped", why=against)
        return Step(state.noted(noted), noted)
    return Step(_pending(kept, state, at, kept.request_id(at), now))


def by_hand(kept: Kept, request_id: str, now: float) -> ScheduleState:
    """The state with an occurrence of now that a person asked for; `refusal` was asked before."""
    return _pending(kept, kept.state, now, request_id, now, by_hand=True)


def refusal(kept: Kept, facts: Facts) -> str | None:
    """Why no job may be enqueued as things stand, by overlap and budget; None where one may."""
    schedule, live = kept.schedule, kept.state.live
    if facts.unreadable:
        return f"the record of {min(facts.unreadable)} cannot be read: it may not be over"
    if live and schedule.overlap == "skip":
        return f"{live[-1]} is not over"
    if len(live) >= QUEUE_AT_MOST:
        return f"{len(live)} jobs are not over, the first is {live[0]}"
    if facts.left is None:
        return None
    needs = kept.state.first_hold or Decimal(0)
    if facts.left <= 0 or facts.left < needs:
        asked = f", a job needs ${format_usd(needs)}" if facts.left > 0 else ""
        return f"the budget {schedule.budget} has ${format_usd(facts.left)} left{asked}"
    return None


def enqueued(kept: Kept, job_id: JobId, now: float) -> ScheduleState:
    """The state after the pending occurrence became a job."""
    state, pending = kept.state, kept.state.pending
    if pending is None:
        return state
    noted = Occurred(at=pending.at, noted_at=now, what="enqueued", job=job_id, by_hand=pending.by_hand)
    live = tuple(dict.fromkeys((*state.live, job_id)))
    return state.model_copy(update={"pending": None, "live": live, "passed": 0}).noted(noted)


def refused(kept: Kept, why: str, now: float) -> ScheduleState:
    """The state after the pending occurrence could not be enqueued, and is given up."""
    state, pending = kept.state, kept.state.pending
    if pending is None:
        return state
    noted = Occurred(at=pending.at, noted_at=now, what="refused", why=why[:500], by_hand=pending.by_hand)
    return state.model_copy(update={"pending": None}).noted(noted)


_NOBODY: Final[Mapping[Literal["skip", "once", "all"], str]] = {
    "skip": "nobody was there in time, and misfire says skip",
    "once": "nobody was there in time, and misfire says once: a later one runs for all",
    "all": "nobody was there in time, and later ones are as many as up_to allows",
}


def _due(schedule: Schedule, state: ScheduleState, now: float) -> Iterator[float]:
    for at in chain([state.next_at], schedule.cadence(state.anchor).after(state.next_at)):
        if schedule.fires_at(at) > now:
            return
        yield at


def _missed(schedule: Schedule, late: int, due: int) -> int:
    """How many of those that are late, the oldest first, are left out."""
    match schedule.misfire:
        case "skip":
            return late
        case "once":
            return late if due > late else max(late - 1, 0)
        case "all":
            return max(late - schedule.up_to, 0)


def _past(schedule: Schedule, state: ScheduleState, at: float) -> ScheduleState:
    """The state with the occurrence after `at` as the next one."""
    return state.model_copy(update={"next_at": next(schedule.cadence(state.anchor).after(at))})


def _pending(
    kept: Kept, state: ScheduleState, at: float, request_id: str, now: float, *, by_hand: bool = False
) -> ScheduleState:
    pending = Pending(
        at=at,
        request_id=request_id,
        decided_at=now,
        after=state.live,
        replaces=kept.schedule.overlap == "replace",
        by_hand=by_hand,
    )
    return state.model_copy(update={"pending": pending})


def _rapid(job: Job, rule: RapidEnds, before: int) -> int:
    """How many jobs in a row failed at once, now that `job` is over. What was stopped or rejected tells nothing."""
    if job.state is State.FAILED and job.remote is not None and job.remote.started_at is not None:
        return before + 1 if run_seconds(job, job.updated_at) < rule.within.total_seconds() else 0
    return 0 if job.state is State.COMPLETED else before


def _slowed(rule: RapidEnds, state: ScheduleState) -> bool:
    if state.rapid < rule.slow_after:
        return False
    return state.passed + 1 < math.ceil(rule.factor ** (state.rapid - rule.slow_after + 1))
