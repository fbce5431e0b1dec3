"""What in a request works against itself: named before anything is paid, and only then."""

from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.conflicts import conflicts
from dispatcher.domain.planned import plan_request, planned_view
from tests.domain.made import T0, request

RATE = Decimal("3.6")  # a second costs a thousandth of a dollar


def found(rate: Decimal | None = RATE, available: str | None = None, **asked: Any) -> list[tuple[str, str]]:
    credit = None if available is None else Decimal(available)
    return [(each.severity, each.path) for each in conflicts(request(**asked).spec(), rate, T0, credit)]


@pytest.mark.parametrize(
    "policies",
    [
        {},
        {"extend": {"by": "30m", "max_times": 3}},
        {"quantum": "10m", "stop": {"after": "20m"}},
        {"extend": {"by": "30m"}, "stop": {"max_cost": "9"}},
    ],
)
def test_what_fits_together_has_none(policies: dict[str, Any]) -> None:
    assert found(timeout="30m", policies=policies, available="5") == []


@pytest.mark.parametrize(
    ("policies", "conflict"),
    [
        ({"stop": {"max_cost": "0.05"}}, ("error", "policies.stop.max_cost")),
        ({"extend": {"by": "5m", "max_cost": "0.05"}}, ("error", "policies.extend.max_cost")),
        ({"stop": {"at": "2027-01-15T07:59:00Z"}}, ("error", "policies.stop.at")),
        ({"stop": {"max_cost": "0.6"}}, ("warning", "timeout")),
        ({"extend": {"by": "30m", "margin": "10s", "max_times": 1}}, ("warning", "policies.extend.margin")),
        ({"quantum": {"step": "30m", "margin": "5s"}}, ("warning", "policies.quantum.margin")),
        ({"extend": {"by": "30m", "max_runtime": "20m"}}, ("warning", "policies.extend.max_runtime")),
        ({"extend": {"by": "30m"}, "stop": {"after": "20m"}}, ("warning", "policies.stop.after")),
        ({"extend": {"by": "30m"}}, ("warning", "policies.extend")),
        ({"stop": {"after": "40m"}}, ("warning", "policies.stop.after")),
        (
            {"extend": {"by": "30m"}, "stop": {"at": "2027-01-15T08:20:00Z"}},
            ("warning", "policies.stop.at"),
        ),
    ],
)
def test_each_conflict_is_named_by_its_field(policies: dict[str, Any], conflict: tuple[str, str]) -> None:
    assert conflict in found(timeout="30m", policies=policies)


def test_a_market_without_a_price_is_the_only_word() -> None:
    assert found(None, policies={"stop": {"max_cost": "0.001"}}) == [("error", "market")]


@pytest.mark.parametrize(("when_short", "what"), [("wait", "wait for credit"), ("fail", "be rejected")])
def test_credit_that_is_short_is_told(when_short: str, what: str) -> None:
    spec = request(timeout="30m", policies={"credit": {"when_short": when_short}}).spec()
    (conflict,) = conflicts(spec, RATE, T0, Decimal(1))
    assert (conflict.severity, conflict.path) == ("warning", "account")
    assert what in conflict.message


def test_what_cannot_run_has_no_timeline() -> None:
    seen = planned_view(plan_request(request(policies={"stop": {"max_cost": "0.05"}}).spec(), RATE, T0))
    assert (seen["can_run"], seen["timeline"], seen["ends"]) == (False, [], None)
    assert seen["conflicts"][0]["severity"] == "error"


def test_expected_and_worst_cost_and_what_is_unattended() -> None:
    spec = request(timeout="2h", policies={"quantum": "30m"}).spec()
    seen = planned_view(plan_request(spec, RATE, T0, runs_for=3000))
    assert seen["cost"] == {"expected_usd": "3.000", "worst_usd": "7.200", "unattended_usd": "1.980"}
    assert seen["ends"]["state"] == "completed"
    assert seen["extends"] == 1


def test_what_nothing_limits_has_no_worst_cost() -> None:
    spec = request(timeout="1h", policies={"extend": {"by": "10h"}}).spec()
    seen = planned_view(plan_request(spec, RATE, T0, runs_for=600))
    assert seen["cost"]["worst_usd"] is None
    assert seen["cost"]["expected_usd"] == "0.600"
