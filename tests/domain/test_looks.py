"""Looks at many jobs: spread, never too late for a deadline, and within the minute's budget in turn."""

import heapq
import math
from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.actions import Begin, Look, Send, Wait
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.planner import agenda, plan
from dispatcher.domain.rules.pace import spread
from dispatcher.domain.rules.polling import pressing_from
from dispatcher.domain.traffic import Limits, Looking, Urgency
from dispatcher.domain.words import Operation, Phase
from dispatcher.ports.traffic import Admitted, Held, Lane
from dispatcher.store.memory import MemoryTraffic
from tests.domain.made import (
    T0,
    after,
    extended,
    intended,
    missing_job,
    new_job,
    observed,
    ordered_stop,
    over_job,
    queued_job,
    running_job,
    searching_extension,
)

IDS = st.integers(0, 10**6).map(lambda n: JobId(f"job_{n:024x}"))


def poll_at(job: Job) -> float:
    return {due.rule: due.at for due in agenda(job)}["poll"]


@given(IDS, st.integers(0, 50), st.floats(0.5, 1e5), st.floats(0.5, 1e5) | st.just(math.inf))
def test_a_look_is_shifted_by_up_to_15_percent_but_never_beyond_what_it_may(
    job_id: JobId, number: int, seconds: float, at_most: float
) -> None:
    job = new_job().model_copy(update={"id": job_id})
    seconds = min(seconds, at_most)
    shifted = spread(job, number, seconds, at_most)
    assert 0.85 * seconds <= shifted <= min(1.15 * seconds, at_most)
    assert shifted == spread(job, number, seconds, at_most)


def test_jobs_that_were_posted_together_are_not_looked_at_together() -> None:
    jobs = [queued_job().model_copy(update={"id": JobId(f"job_{n:024x}")}) for n in range(300)]
    firsts = Counter(int((poll_at(job) - T0) * 10) for job in jobs)
    assert len(firsts) >= 14  # 1.5 s in tenths
    assert max(firsts.values()) < 60


@given(IDS, st.integers(0, 40), st.floats(1, 1799), st.sampled_from(["5s", "30s", "1h"]))
def test_a_look_is_never_later_than_half_of_what_is_left(
    job_id: JobId, looks: int, into: float, every: str
) -> None:
    job = running_job(policies={"poll": {"every": every, "at_most": "2h"}})
    assert job.remote is not None
    remote = job.remote.model_copy(update={"looked_at": T0 + into, "unchanged_looks": looks})
    job = job.model_copy(update={"id": job_id, "remote": remote})
    assert poll_at(job) - remote.looked_at <= max((1800 - into) / 2, 10)


def test_a_job_in_the_queue_is_looked_at_in_time_to_be_extended() -> None:
    """A host may take it right after a look."""
    job = queued_job(policies={"poll": {"every": "2h", "at_first": "2h", "at_most": "2h"}})
    assert poll_at(job) - T0 <= 900


@pytest.mark.parametrize(
    ("job", "since"),
    [
        (running_job(), 1740),
        (running_job(policies={"extend": {"by": "10m"}}), 1740),
        (queued_job(), 1740),
        (queued_job(policies={"extend": {"by": "10m"}}), 1680),
        (apply(queued_job(), observed(queued_job(), Phase.QUEUED, at=T0 + 50)), 1790),
        (apply(running_job(), ordered_stop()), -T0),
        (over_job(), -T0),
        (missing_job(queued_job()), 1740),  # the index does not have it yet
        (missing_job(apply(queued_job(), observed(queued_job(), Phase.QUEUED))), -T0),
        (searching_extension(), -T0),
        (new_job(), math.inf),
    ],
)
def test_what_goes_before_those_that_can_wait(job: Job, since: float) -> None:
    assert pressing_from(job) == T0 + since


LANE = Lane(AccountName("default"), "api.test")
LIMITS = Limits.of(1000, polls_per_minute=600)


class Crowd:
    """Many running jobs, a budget, and a clock; every call is answered at once."""

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs = {job.id: job for job in jobs}
        self.traffic = MemoryTraffic()
        self.looks: dict[JobId, list[float]] = defaultdict(list)
        self.late: list[float] = []
        self.held = 0

    def run(self, until: float) -> None:
        due = [(T0, number, job_id) for number, job_id in enumerate(self.jobs)]
        while due and due[0][0] < until:
            now, number, job_id = heapq.heappop(due)
            heapq.heappush(due, (self._turn(job_id, now), number, job_id))

    def _turn(self, job_id: JobId, now: float) -> float:
        while True:
            job = self.jobs[job_id]
            action = plan(job, now).action
            match action:
                case Wait(at):
                    return at
                case Look():
                    event = self._look(job, now)
                case Begin(operation, seconds):
                    assert operation is Operation.EXTEND
                    event = intended(job, operation, seconds, at=now)
                case Send():
                    assert job.remote is not None
                    assert job.remote.deadline is not None
                    self.late.append(job.remote.deadline - now)
                    event = extended(job, at=now)
                case _:
                    raise AssertionError(f"{action} is not expected")
            self.jobs[job_id] = apply(job, event)

    def _look(self, job: Job, now: float) -> ev.Event:
        pressing = pressing_from(job) <= now
        assert job.remote is not None
        looking = Looking.NEW if job.remote.held_until is None else Looking.AGAIN
        answer = self.traffic.admit(
            LANE,
            urgency=Urgency.LOOK,
            now=now,
            limits=LIMITS,
            looking=Looking.PRESSING if pressing else looking,
        )
        if isinstance(answer, Held):
            self.held += 1
            return ev.Looked(at=now, error="held", held_until=answer.until, pressing=pressing)
        assert isinstance(answer, Admitted)
        self.looks[job.id].append(now)
        return ev.Looked(at=now)


def test_five_thousand_jobs_share_600_looks_a_minute() -> None:
    one = running_job(policies={"extend": {"by": "10m", "margin": "2m"}})
    assert one.remote is not None
    jobs = [
        one.model_copy(
            update={
                "id": JobId(f"job_{n:024x}"),
                # Some are over their first half: they have to be extended while the others are looked at.
                "remote": one.remote.model_copy(update={"timeout": 900 + n % 900}),
            }
        )
        for n in range(5000)
    ]
    crowd = Crowd(jobs)
    lasts = 1250
    crowd.run(T0 + lasts)
    made = sorted(at for looks in crowd.looks.values() for at in looks)
    for number in range(len(made)):  # no minute has more, wherever it begins
        assert number + 600 >= len(made) or made[number + 600] - made[number] > 60
    assert len(made) > 0.85 * 600 * lasts / 60  # and little of the budget is left unused
    assert len(crowd.looks) == 5000
    gaps = [later - before for looks in crowd.looks.values() for before, later in pairwise([T0, *looks])]
    since = [T0 + lasts - looks[-1] for looks in crowd.looks.values()]
    assert max([*gaps, *since]) < 1.5 * 5000 / LIMITS.looks  # type: ignore[operator]  # in turn: nobody twice as long
    assert crowd.held < 2 * len(made)  # they do not all come back at once, again and again
    assert len(crowd.late) > 2000
    assert min(crowd.late) == max(crowd.late) == 120  # every extension at its margin


def test_what_presses_goes_first_and_has_a_reserve() -> None:
    crowd = Crowd([running_job().model_copy(update={"id": JobId(f"job_{n:024x}")}) for n in range(2000)])
    crowd.run(T0 + 120)
    stopped = next(iter(crowd.jobs))
    crowd.looks.clear()
    job = crowd.jobs[stopped]
    now = T0 + 120
    assert job.remote is not None
    crowd.jobs[stopped] = after(job, ordered_stop(at=now))
    assert pressing_from(crowd.jobs[stopped]) <= now
    crowd._look(crowd.jobs[stopped], now)
    waits = next(job for job in crowd.jobs.values() if job.id != stopped)
    crowd._look(waits, now)
    assert dict(crowd.looks) == {stopped: [now]}
