"""Lines in which jobs wait for money: who stands where, who goes first, who is served."""

from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.actions import Finish, HoldCredit
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.outcome import expiry_reason
from dispatcher.domain.planner import plan, upcoming
from dispatcher.domain.waiting import accounts_of, line_of, scopes_awaited, served, yields
from dispatcher.domain.words import Reason, State
from tests.domain.made import T0, after, new_job, ordered_stop, over_job, pinned_job, running_job, waited

WAITS = [Reason.AWAITING_CREDIT, Reason.AWAITING_BUDGET, Reason.ACCOUNT_FROZEN]


def over_budget(at: float = T0) -> ev.Waited:
    return ev.Waited(at=at, reason=Reason.AWAITING_BUDGET, detail="over", scope="label:a")


@pytest.mark.parametrize(
    ("job", "line"),
    [
        (new_job(), None),
        (apply(new_job(), waited(Reason.AWAITING_NETWORK)), None),
        (apply(new_job(), waited(Reason.AWAITING_CREDIT)), "default"),
        (apply(new_job(account="poor"), waited(Reason.ACCOUNT_FROZEN)), "frozen:poor"),
        (apply(new_job(), over_budget()), "budget:label:a"),
        (apply(new_job(), waited(Reason.AWAITING_BUDGET)), None),
        (apply(pinned_job(), waited(Reason.ACCOUNT_FROZEN)), "frozen:default"),
        (apply(running_job(), over_budget()), "budget:label:a"),
        (after(running_job(), over_budget(), ordered_stop()), None),
        (apply(over_job(), over_budget()), None),
    ],
)
def test_where_a_job_stands(job: Job, line: str | None) -> None:
    assert line_of(job) == line


def test_lines_are_told_apart() -> None:
    lines: list[Any] = [
        "default",
        "frozen:default",
        "frozen:poor",
        "budget:label:a=b:c",
        "budget:account:default",
    ]

    assert accounts_of(lines) == ["default", "poor"]
    assert scopes_awaited(lines) == ["account:default", "label:a=b:c"]


def test_who_lets_others_go_first() -> None:
    job = new_job()
    assert yields(job)
    told = []
    for number in range(1, 9):
        job = apply(job, waited(Reason.AWAITING_CREDIT, at=T0 + number))
        told.append(yields(job))
    assert told == [True, True, True, False, True, True, True, False]
    assert not yields(apply(job, ev.Woken(at=T0 + 9, by="credit")))
    assert yields(apply(job, waited(Reason.AWAITING_BUDGET, at=T0 + 9)))


def test_of_a_line_is_served_whoever_still_fits() -> None:
    asked = [("a", Decimal(3)), ("b", Decimal(9)), ("c", Decimal(2)), ("d", Decimal(1)), ("e", Decimal(0))]

    assert list(served(asked, Decimal(5))) == ["a", "c", "e"]
    assert list(served(asked, Decimal(-1))) == []


@pytest.mark.parametrize("reason", WAITS)
def test_a_wait_for_money_is_tried_again_slowly_and_at_once_when_woken(reason: Reason) -> None:
    job = apply(new_job(), waited(reason))

    assert 25 < upcoming(job, T0).at - T0 < 35
    assert plan(apply(job, ev.Woken(at=T0 + 1, by="x")), T0 + 1).action == HoldCredit()


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        (Reason.AWAITING_CREDIT, Reason.NO_CREDIT),
        (Reason.AWAITING_BUDGET, Reason.NO_BUDGET),
        (Reason.ACCOUNT_FROZEN, Reason.ACCOUNT_FROZEN),
    ],
)
def test_patience_ends_every_wait_for_money(reason: Reason, end: Reason) -> None:
    impatient = new_job(policies={"credit": {"when_short": "fail"}})
    patient = new_job(policies={"credit": {"wait_at_most": "1h"}})
    event = waited(reason, detail="so much")

    assert plan(apply(impatient, event), T0).action == Finish(State.REJECTED, end, "so much")
    later = after(patient, event, waited(Reason.AWAITING_NETWORK, at=T0 + 60), waited(reason, at=T0 + 3590))
    assert not isinstance(plan(later, T0 + 3599).action, Finish)
    assert isinstance(plan(later, T0 + 3600).action, Finish)
    assert expiry_reason(apply(running_job(policies={"extend": {"by": "30m"}}), event)) is end
