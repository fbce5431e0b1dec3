"""Conflicts of the policies with the time, the price, the budgets, the network; and what never comes."""

from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.budget import Budget, BudgetUse, Scope, Window
from dispatcher.domain.conflicts import conflicts
from dispatcher.domain.planned import plan_request
from tests.domain.made import T0, request

RATE = Decimal("3.6")  # a second costs a thousandth of a dollar
SOON, LATER = "2027-01-15T08:20:00Z", "2027-01-15T10:00:00Z"
PAST = "2027-01-15T07:59:00Z"
EXTEND = {"by": "30m", "max_times": 3}


def found(**asked: Any) -> dict[str, str]:
    """Every conflict's path and what it says."""
    return {
        each.path: f"{each.severity}: {each.message}" for each in conflicts(request(**asked).spec(), RATE, T0)
    }


@pytest.mark.parametrize(
    ("policies", "path", "says"),
    [
        ({"poll": {"at_first": "1m"}}, "poll.at_first", "longer than every, 30s"),
        ({"extend": {**EXTEND, "until": PAST}}, "extend.until", "has passed"),
        ({"extend": {**EXTEND, "until": SOON}}, "extend.until", "before the time-out of 30m is over"),
        ({"credit": {"wait_until": PAST}}, "credit.wait_until", "has passed"),
        ({"credit": {"when_short": "fail", "wait_until": LATER}}, "credit.wait_until", "never applies"),
        ({"credit": {"when_short": "fail", "wait_at_most": "1h"}}, "credit.wait_at_most", "never applies"),
        ({"credit": {"max_rate_per_hour": "3.5"}}, "credit.max_rate_per_hour", "it will wait"),
        (
            {"credit": {"max_rate_per_hour": "3.5", "when_short": "fail"}},
            "credit.max_rate_per_hour",
            "it will be rejected",
        ),
        ({"stop": {"soft": {"warn": 0.8}}}, "stop.soft", "give after, at or max_cost"),
        ({"stop": {"after": "20m", "soft": {}}}, "stop.soft", "says nothing"),
        ({"stop": {"after": "20m", "soft": {"no_extends": 0.5}}}, "stop.soft.no_extends", "never matters"),
        ({"quantum": "20m", "stop": {"max_cost": "0.6"}}, "quantum.step", "pays for 10m only"),
        ({"retry": {"on": ["queued_too_long"]}}, "retry.on", "give stop.queued_longer_than"),
        ({"retry": {"on": []}}, "retry.on", "names no end"),
        ({"retry": {}, "stop": {"max_cost": "1.8"}}, "retry", "leaves nothing"),
        ({"retry": {}, "stop": {"max_cost": "0.9"}}, "retry", "leaves nothing"),
    ],
)
def test_each_is_a_warning_under_its_field(policies: dict[str, Any], path: str, says: str) -> None:
    said = found(timeout="30m", policies=policies)[f"policies.{path}"]
    assert said.startswith("warning: ")
    assert says in said


@pytest.mark.parametrize(
    "policies",
    [
        {"poll": {"every": "2s"}},  # the default of at_first is nobody's mistake
        {"poll": {"at_first": "30s"}},
        {"extend": {**EXTEND, "until": LATER}},
        {"credit": {"wait_until": LATER, "wait_at_most": "1h", "max_rate_per_hour": "3.6"}},
        {"extend": EXTEND, "stop": {"after": "1h", "soft": {"warn": 0.8, "no_extends": 0.5}}},
        {"quantum": "20m", "stop": {"max_cost": "1.3"}},
        {"retry": {"on": ["queued_too_long"]}, "stop": {"queued_longer_than": "5m"}},
        {"retry": {"on": ["queued_too_long"], "exit_codes": [3]}},
        {"retry": {}, "stop": {"max_cost": "1.86"}},
        {"stop": {"budget": "account:default"}},
    ],
)
def test_what_fits_together_has_none(policies: dict[str, Any]) -> None:
    assert found(timeout="30m", policies=policies) == {}


@pytest.mark.parametrize(
    ("stop", "path"),
    [
        ({"no_output_for": "5m"}, "policies.stop.no_output_for"),
        ({"result_matches": {"key": "a", "pattern": "*"}}, "policies.stop.result_matches"),
        ({"budget": "label:team-b"}, "policies.stop.budget"),
    ],
)
def test_what_cannot_be_had_is_an_error(stop: dict[str, Any], path: str) -> None:
    said = found(policies={"stop": stop}, labels={"team": "team-a"})
    assert list(said) == [path]
    assert said[path].startswith("error: ")
    plan = plan_request(request(policies={"stop": stop}).spec(), RATE, T0)
    assert not plan.can_run


def test_where_output_is_shown_it_is_none() -> None:
    spec = request(policies={"stop": {"no_output_for": "5m"}}).spec()
    assert conflicts(spec, RATE, T0, shows_output=lambda account: account == "default") == []
    plan = plan_request(spec, RATE, T0, shows_output=lambda _: True)
    assert plan.expected is not None
    assert plan.expected.reason == "timed_out"  # an ideal network's jobs always say something


def use(scope: str, left: str) -> BudgetUse:
    limit = Decimal(10)
    return BudgetUse(Budget(Scope(scope), Window.DAY, limit), T0, None, limit - Decimal(left), Decimal(0))


@pytest.mark.parametrize(
    ("scope", "left", "path", "says"),
    [
        ("label:team-a", "1.79", "labels", "it will wait for the budget"),
        ("account:default", "1.79", "account", "$1.800 is needed to post it"),
        ("label:team-a", "1.85", "policies.stop.budget", "stopped at its first look"),
    ],
)
def test_a_budget_that_is_too_small_is_told(scope: str, left: str, path: str, says: str) -> None:
    stop = {"budget": "label:team-a"}
    spec = request(timeout="30m", labels={"team": "team-a"}, policies={"stop": stop}).spec()
    (conflict,) = conflicts(spec, RATE, T0, budgets=[use(scope, left), use("label:other", "0")])
    assert (conflict.severity, conflict.path) == ("warning", path)
    assert says in conflict.message
    assert conflicts(spec, RATE, T0, budgets=[use(scope, "1.87")]) == []


@pytest.mark.parametrize(
    ("policies", "paths"),
    [
        ({"extend": {"by": "10m", "max_times": 1}, "stop": {"after": "2h"}}, ["policies.stop.after"]),
        ({"extend": {"by": "10m", "max_times": 5}, "stop": {"after": "1h"}}, []),
        (
            {"extend": {"by": "10m", "max_times": 1}, "stop": {"max_cost": "9", "soft": {"warn": 0.9}}},
            ["policies.stop.soft.warn"],
        ),
        (
            {"extend": {"by": "10m", "max_times": 1}, "stop": {"max_cost": "9", "soft": {"no_extends": 0.9}}},
            ["policies.stop.soft.no_extends"],
        ),
        ({"extend": EXTEND, "stop": {"max_cost": "5", "soft": {"warn": 0.5, "no_extends": 0.6}}}, []),
        ({"extend": EXTEND, "stop": {"max_cost": "1.8"}}, ["policies.extend"]),
        ({"extend": EXTEND, "stop": {"after": "20m"}}, ["policies.stop.after"]),  # named already, and once
        ({"stop": {"at": LATER, "soft": {"warn": 0.9}}}, []),  # it may wait for hours before it is posted
    ],
)
def test_what_the_worst_forecast_never_comes_to_is_told(policies: dict[str, Any], paths: list[str]) -> None:
    plan = plan_request(request(timeout="30m", policies=policies).spec(), RATE, T0)
    told = [each.path for each in plan.conflicts if each.path != "timeout"]
    assert told == paths


def test_soft_steps_are_in_the_timeline() -> None:
    policies = {"extend": EXTEND, "stop": {"after": "1h", "soft": {"warn": 0.5, "no_extends": 0.75}}}
    plan = plan_request(request(timeout="30m", policies=policies).spec(), RATE, T0)
    assert plan.expected is not None
    steps = {step.event: (step.at - T0, step.detail) for step in plan.expected.steps}
    assert steps["warned"] == (60 + 1800, "50% of stop.after is over")
    assert steps["extends_ended"] == (60 + 2700, "75% of stop.after: no more time by itself")
