"""The ledger at the end of a job: what becomes free, and when."""

from decimal import Decimal

import pytest

from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.ids import HoldId
from dispatcher.ports.ledger import Ledger
from tests.store.books import ACCOUNT, EXTEND, JOB, OTHER, POST, balance, hold, shown, sums, usd
from tests.store.records import T0


def test_settling_a_seen_job_leaves_the_money_where_the_balance_has_it(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")
    ledger.confirm(ACCOUNT, POST, Decimal(6))
    shown(ledger, "10", "6")

    ledger.settle(ACCOUNT, JOB, Decimal(2))
    assert sums(ledger) == usd("4", "0", "0", "2")

    shown(ledger, "10", "0", "2")
    assert sums(ledger) == usd("8", "0", "0", "2")


def test_settling_a_job_that_no_balance_showed_frees_nothing_before_one_does(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")
    ledger.confirm(ACCOUNT, POST, Decimal(6))
    asked_before_the_settlement = ledger.marker(ACCOUNT)

    ledger.settle(ACCOUNT, JOB, Decimal(2))
    assert sums(ledger) == usd("4", "6", "0", "2")

    ledger.put_balance(ACCOUNT, asked_before_the_settlement, balance("10", "6"), now=T0)
    assert sums(ledger) == usd("-2", "6", "0", "2")

    shown(ledger, "10", "0", "2")
    assert sums(ledger) == usd("8", "0", "0", "2")


@pytest.mark.parametrize(
    ("cost", "unseen"),
    [("0", "3"), ("2", "3"), ("9", "3"), ("10", "4"), ("12", "6")],
)
def test_of_a_job_that_was_partly_seen_the_rest_stays_unseen(ledger: Ledger, cost: str, unseen: str) -> None:
    shown(ledger, "100")
    hold(ledger, "6")
    ledger.confirm(ACCOUNT, POST, Decimal(6))
    shown(ledger, "100", "6")
    hold(ledger, "3", EXTEND)
    ledger.confirm(ACCOUNT, EXTEND, Decimal(3))

    ledger.settle(ACCOUNT, JOB, Decimal(cost))

    assert sums(ledger) == (94 - Decimal(unseen), Decimal(unseen), Decimal(0), Decimal(cost))


def test_a_job_that_never_was_on_the_network_is_free_at_once(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")

    ledger.settle(ACCOUNT, JOB, Decimal(0))

    assert sums(ledger) == usd("10", "0", "0", "0")


def test_an_undecided_call_is_counted_by_what_the_job_cost(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")

    ledger.settle(ACCOUNT, JOB, Decimal(2))

    assert sums(ledger) == usd("8", "2", "0", "2")


def test_a_second_settlement_has_no_effect(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")
    ledger.settle(ACCOUNT, JOB, Decimal(2))
    shown(ledger, "10", "0", "2")
    before = sums(ledger)

    ledger.settle(ACCOUNT, JOB, Decimal(5))

    assert sums(ledger) == before


def test_a_job_without_holds_is_settled_too(ledger: Ledger) -> None:
    ledger.settle(ACCOUNT, JOB, Decimal("0.5"))

    assert ledger.view(ACCOUNT).settled == Decimal("0.5")


def test_nothing_is_held_for_a_job_that_is_settled(ledger: Ledger) -> None:
    shown(ledger, "10")
    ledger.settle(ACCOUNT, JOB, Decimal(0))

    with pytest.raises(LeaseLost, match=JOB):
        hold(ledger, "1")

    assert sums(ledger) == usd("10", "0", "0", "0")


def test_what_comes_after_the_settlement_has_no_effect(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")
    ledger.settle(ACCOUNT, JOB, Decimal(2))
    before = sums(ledger)

    ledger.confirm(ACCOUNT, POST, Decimal(6))
    ledger.void(ACCOUNT, POST)

    assert sums(ledger) == before


def test_settling_one_job_leaves_the_holds_of_others(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")
    hold(ledger, "3", HoldId("job_2:post:1"), OTHER)

    ledger.settle(ACCOUNT, JOB, Decimal(0))

    assert sums(ledger) == usd("7", "3", "3", "0")
