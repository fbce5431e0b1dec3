"""What may go on without a dead letter, and what the books take for it."""

import re
from decimal import Decimal

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.dropping import cost_when_dropped, dropped, may_be_alive
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import Operation, Phase, Reason, State
from tests.domain.made import (
    ADDRESS,
    T0,
    ended_job,
    extending_job,
    held_job,
    intended,
    new_job,
    observed,
    ordered_stop,
    over_job,
    pinned_job,
    posting_job,
    queued_job,
    running_job,
    stopping_job,
)


def doubtful_job() -> Job:
    """A stop that overtook an extension."""
    job = apply(extending_job(), ordered_stop())
    return apply(job, intended(job, Operation.STOP))


JOBS: dict[str, tuple[Job, str | None, str]] = {
    "new": (new_job(), None, "0"),
    "held": (held_job(), None, "0"),
    "pinned": (pinned_job(), None, "0"),
    "posting": (posting_job(), "its post may have landed .*: nothing says at which address", "1.8"),
    "queued": (queued_job(), f"{ADDRESS}: it runs for 30m from when a host takes it, .*1.800", "1.8"),
    "running": (running_job(), f"{ADDRESS}: it runs until 2027-01-15T08:30:00Z, .*1.800", "1.8"),
    "extending": (extending_job(), "it runs until 2027-01-15T09:00:00Z, .*3.600", "3.6"),
    "stopping": (stopping_job(), ADDRESS, "1.8"),
    "doubtful": (doubtful_job(), "or longer if an extension landed", "3.6"),
    "over": (over_job(), None, "0.1"),
    "gone": (apply(queued_job(), observed(queued_job(), Phase.GONE)), None, "0"),
    "ended": (ended_job(), None, "0.1"),
}


@pytest.mark.parametrize("name", JOBS)
def test_what_may_be_alive_is_said_with_its_cost(name: str) -> None:
    job, said, cost = JOBS[name]
    alive = may_be_alive(job)
    if said is None:
        assert alive is None
    else:
        assert alive is not None
        assert re.search(said, alive), alive
    assert cost_when_dropped(job) == Decimal(cost)


@pytest.mark.parametrize("name", [name for name in JOBS if name != "ended"])
def test_dropping_ends_the_job_in_every_state(name: str) -> None:
    job, said, cost = JOBS[name]
    event = dropped(job, T0 + 7, by="tester", reason="ValueError: x")
    assert isinstance(event, ev.Ended)
    after = apply(job, event)
    assert (after.state, after.reason, after.call) == (State.FAILED, Reason.DROPPED, None)
    assert after.spend.settled == Decimal(cost)
    assert event.ending.detail.startswith("dropped by tester as a dead letter: ValueError: x")
    assert ("may" in event.ending.detail) == (said is not None)
