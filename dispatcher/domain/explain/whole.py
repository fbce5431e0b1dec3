"""One job explained: where it is and why, what comes next, what was tried, what it costs."""

from dataclasses import dataclass

from dispatcher.domain.bounds import Costs, costs
from dispatcher.domain.crashes import Trouble
from dispatcher.domain.explain.agenda import Entry, entries
from dispatcher.domain.explain.facts import Facts
from dispatcher.domain.explain.history import History, history
from dispatcher.domain.explain.outlook import Outlook, outlooks
from dispatcher.domain.explain.times import from_now, when
from dispatcher.domain.explain.waits import ends_of_wait, held_back
from dispatcher.domain.job import Job
from dispatcher.domain.planner import upcoming
from dispatcher.domain.words import FollowUp, State


@dataclass(frozen=True, slots=True)
class NextStep:
    """What is done next. `at`: unix seconds; not before `now` where it is due already. `remark`: what is wrong."""

    at: float
    follow_up: FollowUp
    entry: Entry
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """See the fields. Times are unix seconds, amounts US dollars."""

    job: Job
    now: float
    since: float
    """Since when it is in its state, or waits for what it waits for."""
    next: NextStep | None
    """None for a job that is over, and for a dead letter."""
    agenda: tuple[Entry, ...]
    waits_for: tuple[str, ...]
    held_back: tuple[str, ...]
    history: History
    costs: Costs
    outlooks: tuple[Outlook, ...]
    trouble: Trouble | None
    unreadable: int
    whole: bool
    """False: the log is so long that waits and looks are left out of it, and the history is not complete."""


def explain(job: Job, facts: Facts, now: float) -> Explanation:
    """Everything about the job at `now` (unix seconds). Asks the planner and the forecast; decides nothing."""
    rows = entries(job, now)
    return Explanation(
        job=job,
        now=now,
        since=_since(job, facts),
        next=_next(job, facts, rows, now),
        agenda=rows,
        waits_for=ends_of_wait(job, facts, now),
        held_back=held_back(job, facts, now),
        history=history(facts.log),
        costs=costs(job, now),
        outlooks=outlooks(job, facts, now),
        trouble=facts.trouble,
        unreadable=facts.unreadable,
        whole=facts.whole,
    )


def _since(job: Job, facts: Facts) -> float:
    if job.ending is not None:
        return job.ending.at
    if job.wait is not None:
        return job.wait.since
    if job.state is State.STOPPING and job.stop is not None:
        return job.stop.at
    remote = job.remote
    if remote is not None:
        return remote.started_at if remote.started_at is not None else remote.posted_at
    if job.call is not None:
        return job.call.intended_at
    entered = {"pinned", "credit_held", "call_undone", "call_refused", "call_not_found", "attempt_ended"}
    return max((event.at for event in facts.log if event.kind in entered), default=job.created_at)


def _next(job: Job, facts: Facts, rows: tuple[Entry, ...], now: float) -> NextStep | None:
    trouble = facts.trouble
    if job.state.is_final or (trouble is not None and trouble.dead):
        return None
    due, entry = upcoming(job, now), next(row for row in rows if row.wins)
    rested = trouble.retry_at if trouble is not None and trouble.retry_at is not None else 0.0
    return NextStep(max(due.at, rested, now), due.follow_up, entry, _remark(facts, rested, now))


def _remark(facts: Facts, rested: float, now: float) -> str:
    if rested > now:
        return f"its last turn failed: it rests until {when(rested, now)}"
    if facts.agenda_at is None:
        return "it is not on the agenda: reconciliation puts it back, if workers and beat are running"
    if now - facts.agenda_at > facts.late:
        return f"it fell due {from_now(facts.agenda_at, now)} and nobody took it: are workers running?"
    return ""
