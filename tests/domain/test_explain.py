"""Explanations: the planner's own word with the policy behind it, for any record that a job can have."""

import json
from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.actions import Wait
from dispatcher.domain.explain import Facts, explain, explanation_view
from dispatcher.domain.explain.agenda import entries
from dispatcher.domain.explain.clauses import clause
from dispatcher.domain.explain.history import history
from dispatcher.domain.explain.times import from_now, moment, span
from dispatcher.domain.job import Job
from dispatcher.domain.planner import RULES, plan, upcoming
from dispatcher.domain.policies import Policies
from dispatcher.domain.words import Operation, Reason
from tests.domain import made
from tests.domain.made import RATE, T0
from tests.domain.walk import Walk


@pytest.mark.parametrize("seed", range(12))
def test_at_every_step_of_a_life_it_says_what_the_planner_decides(seed: int) -> None:
    """Whatever the record is, it can be explained, as JSON too, and the winner is what the planner then does."""
    policies = [{}, {"extend": {"by": "10m", "max_times": 3}, "stop": {"after": "1h"}}, {"quantum": "10m"}][
        seed % 3
    ]
    walk = Walk(made.enqueued(policies=policies), seed, faults=seed % 7)
    for number in range(300):
        if number % 9 == 4:
            walk.command()
        if number % 3:
            walk.step()
            continue
        told = explain(walk.job, Facts(log=walk.log, rate_per_hour=RATE), walk.now)
        json.dumps(explanation_view(told))
        due = upcoming(walk.job, walk.now)
        assert [entry.rule for entry in told.agenda] == [rule.__name__ for rule in RULES]
        assert [entry.rule for entry in told.agenda if entry.wins] == [due.rule]
        assert {entry.rule for entry in told.agenda if entry.applies} >= {due.rule}
        if walk.job.state.is_final:
            assert told.next is None
            assert told.outlooks == ()
            return
        assert told.next is not None
        action = plan(walk.job, walk.now).action
        assert told.next.at == (action.until if isinstance(action, Wait) else walk.now)
        assert told.outlooks
        walk.step()
    raise AssertionError("the walk does not end")


def running(**policies: Any) -> Job:
    return made.running_job(policies=policies)


@pytest.mark.parametrize(
    ("policies", "field", "said"),
    [
        ({"stop": {"after": "3h"}}, "stop.after", "stop.after 3h, from its start at 08:00:00Z"),
        ({"stop": {"at": "2027-01-15T10:00:00Z"}}, "stop.at", "stop.at 2027-01-15T10:00:00Z"),
        (
            {"stop": {"max_cost": "3.6"}},
            "stop.max_cost",
            "stop.max_cost $3.600, which pays for 1h at $3.600 an hour; the stop goes out a little before",
        ),
        (
            {"stop": {"queued_longer_than": "90s"}},
            "stop.queued_longer_than",
            "stop.queued_longer_than 1m30s, from its posting at 08:00:00Z",
        ),
        (
            {"extend": {"by": "30m"}},
            "extend.by",
            "extend.by 30m, margin 3m: 10 % of by, at the deadline 08:30:00Z minus 3m",
        ),
        (
            {"extend": {"by": "5m"}},
            "extend.by",
            "extend.by 5m, margin 1m: 10 % of by, but at least 1m, at the deadline 08:30:00Z minus 1m",
        ),
        (
            {"extend": {"by": "2h"}},
            "extend.by",
            "extend.by 2h, margin 5m: 10 % of by, but at most 5m, at the deadline 08:30:00Z minus 5m",
        ),
        (
            {"extend": {"by": "1m"}},
            "extend.by",
            "extend.by 1m, margin 30s: half of by, never more, at the deadline 08:30:00Z minus 30s",
        ),
        (
            {"extend": {"by": "30m", "margin": "2m"}},
            "extend.by",
            "extend.by 30m, margin 2m: as given, at the deadline 08:30:00Z minus 2m",
        ),
        (
            {"extend": {"by": "30m", "max_runtime": "40m"}},
            "extend.by",
            "extend.by 30m, margin 3m: 10 % of by, at the deadline 08:30:00Z minus 3m, "
            "shortened to 10m by extend.max_runtime",
        ),
        (
            {"extend": {"by": "30m"}, "stop": {"after": "39m"}},
            "extend.by",
            "extend.by 30m, margin 3m: 10 % of by, at the deadline 08:30:00Z minus 3m, shortened to 10m by stop.after",
        ),
        (
            {"extend": {"by": "30m", "max_cost": "2.4"}},
            "extend.by",
            "extend.by 30m, margin 3m: 10 % of by, at the deadline 08:30:00Z minus 3m, "
            "shortened to 10m by extend.max_cost",
        ),
        (
            {"quantum": "30m", "extend": {"by": "1h"}},
            "quantum.step",
            "quantum.step 30m, margin 3m: 10 % of step, at the deadline 08:30:00Z minus 3m",
        ),
        ({"credit": {"when_short": "fail"}}, "credit.when_short", "credit.when_short fail"),
        ({"stop": {"budget": "label:a"}}, "stop.budget", "stop.budget label:a"),
        (
            {"stop": {"result_matches": {"key": "loss", "pattern": "nan"}}},
            "stop.result_matches",
            "stop.result_matches key loss, pattern nan",
        ),
        ({}, "stop.soft", "stop.soft off"),
    ],
)
def test_a_field_is_named_with_its_value_and_what_that_comes_to(
    policies: dict[str, Any], field: str, said: str
) -> None:
    assert clause(running(**policies), field, T0) == said


def test_every_policy_that_a_rule_names_is_a_field() -> None:
    """In every life, and in the log as the events' cause."""
    seen = set()
    policies = {
        "extend": {"by": "10m", "max_times": 2},
        "stop": {"after": "40m", "max_cost": "9", "queued_longer_than": "5m"},
        "credit": {"wait_at_most": "1h"},
    }
    for seed in range(20):
        walk = Walk(made.enqueued(policies=policies), seed, faults=4)
        for _ in range(200):
            seen |= {entry.policy for entry in entries(walk.job, walk.now) if entry.policy is not None}
            walk.step()
    assert seen >= {"extend.by", "stop.after", "stop.queued_longer_than", "poll.every", "credit.wait_at_most"}
    for field in seen:
        kind, _, name = field.partition(".")
        model = type(getattr(Policies.model_validate({"extend": {"by": "1m"}, "quantum": "5m"}), kind))
        assert name in model.model_fields, field


def test_calls_are_counted_and_those_in_trouble_told() -> None:
    job = made.running_job()
    log: list[ev.Event] = []

    def happen(event: ev.Event) -> None:
        nonlocal job
        log.append(event)
        job = made.after(job, event)

    for number in range(3):
        happen(made.intended(job, Operation.EXTEND, 600, at=T0 + number))
        happen(made.extended(job, at=T0 + number))
    happen(made.intended(job, Operation.EXTEND, 600, at=T0 + 10))
    happen(made.undecided(job, at=T0 + 11, retry_at=T0 + 13))
    happen(made.expired(job, at=T0 + 13, retry_at=T0 + 13))
    held = made.undecided(job, at=T0 + 14, retry_at=T0 + 15)
    happen(held.model_copy(update={"sent": False, "error": "rate limit"}))
    happen(made.refused(job, at=T0 + 16))
    happen(made.ordered_stop(at=T0 + 20))
    happen(made.intended(job, Operation.STOP, at=T0 + 20))

    told = history(log)
    assert told.calls_made == {"extend": 4, "stop": 1}
    assert told.answered == {"extend": 3}
    refused, stop = told.troubled
    assert (refused.tries, refused.held, refused.outcome) == (2, 1, "refused")
    assert (stop.operation, stop.outcome) == (Operation.STOP, None)
    assert [(noted.kind, noted.by) for noted in told.noted] == [("stop_ordered", "tester")]


def test_an_extension_that_a_stop_overtook_is_told_so() -> None:
    job = made.running_job()
    first = made.intended(job, Operation.EXTEND, 600)
    second = made.intended(job, Operation.STOP)
    overtaken, _ = history([first, second]).troubled
    assert overtaken.outcome == "overtaken by a stop"


def test_a_wait_is_told_once_however_often_it_was_tried() -> None:
    wait = [made.waited(Reason.AWAITING_CREDIT, at=T0 + n, detail=f"{n}") for n in range(5)]
    woken = ev.Woken(at=T0 + 3, by="credit")
    other = made.waited(Reason.AWAITING_BUDGET, at=T0 + 9)
    credit, budget = history([*wait[:3], woken, *wait[3:], other]).waits
    assert (credit.since, credit.last, credit.times, credit.detail) == (T0, T0 + 4, 5, "4")
    assert budget.times == 1


def test_a_long_history_is_told_shortly() -> None:
    log = [made.ordered_stop(at=T0 + n) for n in range(500)]
    assert len(history(log).noted) == 20
    assert history(log).noted[-1].at == T0 + 499


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (T0, "now"),
        (T0 + 90, "in 1m30s"),
        (T0 - 5, "5s ago"),
        (T0 + 3 * 86400 + 7201, "in 3d2h"),
        (T0 + 0.3, "now"),
    ],
)
def test_moments_are_told_from_now(at: float, said: str) -> None:
    assert from_now(at, T0) == said


def test_the_day_is_told_only_of_another_day() -> None:
    assert moment(T0 + 60, T0) == "08:01:00Z"
    assert moment(T0 + 86400, T0) == "2027-01-16T08:00:00Z"
    assert span(7322) == "2h2m"
