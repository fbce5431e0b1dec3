"""An agenda entry is late by the planner's own word, and never because nobody came."""

import pytest

from dispatcher.domain.job import Job
from dispatcher.domain.planner import upcoming
from dispatcher.domain.punctual import is_late
from tests.domain.made import T0, new_job, running_job

SLACK = 120.0


def next_of(job: Job, now: float) -> float:
    return upcoming(job, now).at


@pytest.mark.parametrize(
    ("after_next", "late"), [(-50, False), (0, False), (119, False), (121, True), (86400, True)]
)
def test_an_entry_may_be_so_much_later_than_the_next_step(after_next: float, late: bool) -> None:
    job = running_job(policies={"poll": {"every": "10m"}})
    expected = next_of(job, T0 + 1)
    assert expected > T0 + 1
    assert is_late(job, expected + after_next, T0 + 1, SLACK) is late


def test_a_job_that_nobody_looked_at_is_late_only_if_its_entry_lies_ahead() -> None:
    job = running_job(policies={"poll": {"every": "10s"}})
    a_day_later = T0 + 86400
    assert not is_late(job, T0 + 10, a_day_later, SLACK)
    assert not is_late(job, a_day_later, a_day_later, SLACK)
    assert not is_late(job, a_day_later + 60, a_day_later, SLACK)
    assert is_late(job, a_day_later + 3600, a_day_later, SLACK)


def test_a_new_job_is_due_at_once() -> None:
    assert is_late(new_job(), T0 + 121, T0, SLACK)
    assert not is_late(new_job(), T0 + 2, T0, SLACK)
