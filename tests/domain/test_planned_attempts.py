"""What a plan says about a job that may have several attempts: the most that they cost together, wherever they run."""

from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.planned import Planned, plan_request, planned_view
from tests.domain.made import T0, request

RATE = Decimal("0.36")
DEARER = Decimal("3.6")
ELSEWHERE = {"market": "dearer", "max_rate_per_hour": "5"}


def planned(rates: dict[str, Decimal | None] | None = None, **policies: Any) -> Planned:
    return plan_request(
        request(market="own", timeout="10m", policies=policies).spec(),
        RATE,
        T0,
        runs_for=60,
        exit_code=3,
        rates=rates,
    )


def test_each_attempt_is_in_the_timeline_and_in_the_expected_cost() -> None:
    told = planned_view(planned(retry={"on": ["exit_code"], "attempts": 3}))

    assert [step["event"] for step in told["timeline"]].count("attempt_ended") == 2
    assert told["cost"]["expected_usd"] == "0.018"  # three times a minute at 36 cents an hour
    assert told["cost"]["worst_usd"] is None  # what a market asks next time is not known


@pytest.mark.parametrize(
    ("policies", "most"),
    [
        ({"retry": {"on": ["exit_code"], "attempts": 3}, "stop": {"max_cost": "0.1"}}, "0.100"),
        ({"retry": {"on": ["exit_code"], "attempts": 3}, "credit": {"max_rate_per_hour": "0.36"}}, "0.180"),
        ({}, "0.060"),
    ],
)
def test_the_worst_that_all_attempts_cost_together(policies: dict[str, Any], most: str) -> None:
    assert planned_view(planned(**policies))["cost"]["worst_usd"] == most


@pytest.mark.parametrize(
    ("rates", "unattended"),
    [
        ({"dearer": DEARER}, "0.600"),  # ten minutes there
        ({"dearer": Decimal(6)}, "0.060"),  # more than may be paid: passed over
        ({"dearer": None}, "0.060"),  # no price, the same
        ({}, "0.834"),  # not known: its ceiling
    ],
)
def test_what_could_be_spent_unattended_heeds_every_place(
    rates: dict[str, Decimal | None], unattended: str
) -> None:
    found = planned(rates, retry={"on": ["exit_code"], "elsewhere": [ELSEWHERE]})

    assert planned_view(found)["cost"]["unattended_usd"] == unattended
