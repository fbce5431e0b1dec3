"""The ledger: what is available, step by step. The long runs are in `test_ledger_properties`."""

from decimal import Decimal

import pytest

from dispatcher.domain.errors import Bug
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import Held, Ledger, LedgerView, Marker, Short
from tests.store.books import ACCOUNT, EXTEND, JOB, OTHER, POST, balance, hold, shown, sums, usd
from tests.store.records import T0


def test_an_account_that_was_never_asked(ledger: Ledger) -> None:
    nothing = Decimal(0)

    assert ledger.view(ACCOUNT) == LedgerView(None, None, nothing, nothing, nothing)
    assert ledger.view(ACCOUNT).available is None
    with pytest.raises(Bug, match="no balance of account default"):
        hold(ledger, "1")
    assert ledger.view(ACCOUNT) == LedgerView(None, None, nothing, nothing, nothing)


def test_a_balance_is_kept_as_it_was_put(ledger: Ledger) -> None:
    asked = balance("100.5", "0.34", "74.595")

    assert ledger.put_balance(ACCOUNT, ledger.marker(ACCOUNT), asked, now=T0)

    assert ledger.view(ACCOUNT).balance == asked
    assert ledger.view(ACCOUNT).balance_at == T0
    assert sums(ledger) == usd("25.565", "0", "0", "0")


def test_markers_grow_and_belong_to_one_account(ledger: Ledger) -> None:
    first, second = ledger.marker(ACCOUNT), ledger.marker(ACCOUNT)

    assert second > first
    assert ledger.marker(AccountName("other")) == first


def test_the_later_question_wins_whatever_came_first(ledger: Ledger) -> None:
    early, late = ledger.marker(ACCOUNT), ledger.marker(ACCOUNT)

    assert ledger.put_balance(ACCOUNT, late, balance("5"), now=T0 + 1)
    assert not ledger.put_balance(ACCOUNT, early, balance("9"), now=T0 + 2)

    assert ledger.view(ACCOUNT).balance == balance("5")
    assert ledger.view(ACCOUNT).balance_at == T0 + 1
    assert ledger.put_balance(ACCOUNT, late, balance("5"), now=T0 + 1)


def test_holds_reduce_what_is_available_until_too_little_is_left(ledger: Ledger) -> None:
    shown(ledger, "10")

    assert hold(ledger, "6") == Held(Decimal(6))
    assert hold(ledger, "4.000001", EXTEND) == Short(Decimal(4))
    assert sums(ledger) == usd("4", "6", "6", "0")
    assert hold(ledger, "4", EXTEND) == Held(Decimal(4))
    assert sums(ledger) == usd("0", "10", "10", "0")
    assert hold(ledger, "0", HoldId("free"), OTHER) == Held(Decimal(0))


def test_a_hold_that_is_there_is_kept_at_its_amount(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")

    assert hold(ledger, "9") == Held(Decimal(6))
    assert hold(ledger, "1") == Held(Decimal(6))
    assert sums(ledger) == usd("4", "6", "6", "0")


def test_a_voided_hold_is_free_at_once_and_may_be_made_again(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")

    ledger.void(ACCOUNT, POST)
    ledger.void(ACCOUNT, POST)
    ledger.void(ACCOUNT, HoldId("unknown"))

    assert sums(ledger) == usd("10", "0", "0", "0")
    assert hold(ledger, "9") == Held(Decimal(9))


def test_a_confirmed_hold_is_unseen_until_a_balance_that_was_asked_for_after_it(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")
    asked_before_the_confirmation = ledger.marker(ACCOUNT)

    ledger.confirm(ACCOUNT, POST, Decimal(6))
    assert sums(ledger) == usd("4", "6", "6", "0")

    # This answer may show the reservation or may not: it is from before or from after it.
    ledger.put_balance(ACCOUNT, asked_before_the_confirmation, balance("10", "6"), now=T0)
    assert sums(ledger) == usd("-2", "6", "6", "0")

    shown(ledger, "10", "6")
    assert sums(ledger) == usd("4", "0", "6", "0")
    shown(ledger, "20", "6")
    assert sums(ledger) == usd("14", "0", "6", "0")


def test_an_open_hold_is_unseen_however_new_the_balance(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")

    shown(ledger, "10", "6")

    assert sums(ledger) == usd("-2", "6", "6", "0")


def test_the_network_may_reserve_another_amount_than_was_held(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")

    ledger.confirm(ACCOUNT, POST, Decimal("5.5"))
    assert sums(ledger) == usd("4.5", "5.5", "5.5", "0")

    ledger.confirm(ACCOUNT, POST, Decimal(9))
    assert sums(ledger) == usd("4.5", "5.5", "5.5", "0")


def test_a_second_confirmation_does_not_hide_a_hold_again(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")
    ledger.confirm(ACCOUNT, POST, Decimal(6))
    marker = ledger.marker(ACCOUNT)

    ledger.confirm(ACCOUNT, POST, Decimal(6))
    ledger.put_balance(ACCOUNT, marker, balance("10", "6"), now=T0)

    assert sums(ledger) == usd("4", "0", "6", "0")


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "unseen"])
def test_what_the_network_confirmed_is_not_voided(ledger: Ledger, seen: bool) -> None:
    shown(ledger, "10")
    hold(ledger, "6")
    ledger.confirm(ACCOUNT, POST, Decimal(6))
    if seen:
        shown(ledger, "10", "6")
    before = sums(ledger)

    ledger.void(ACCOUNT, POST)

    assert sums(ledger) == before


def test_unknown_holds_are_not_confirmed(ledger: Ledger) -> None:
    shown(ledger, "10")

    ledger.confirm(ACCOUNT, POST, Decimal(6))

    assert sums(ledger) == usd("10", "0", "0", "0")


def test_accounts_are_told_apart(ledger: Ledger) -> None:
    other = AccountName("other")
    shown(ledger, "10")
    ledger.put_balance(other, ledger.marker(other), balance("1"), now=T0)
    hold(ledger, "6")

    assert ledger.hold(other, JOB, POST, Decimal("0.5"), now=T0) == Held(Decimal("0.5"))
    ledger.settle(other, JOB, Decimal("0.5"))

    assert sums(ledger) == usd("4", "6", "6", "0")


def test_parts_of_a_micro_dollar_never_make_credit(ledger: Ledger) -> None:
    marker = ledger.marker(ACCOUNT)
    fine = balance("1.0000009", "0.0000001", "0.0000001")
    ledger.put_balance(ACCOUNT, marker, fine, now=T0)

    assert ledger.view(ACCOUNT).available == Decimal("0.999998")
    assert hold(ledger, "0.0000001") == Held(Decimal("0.000001"))
    assert hold(ledger, "0.999998", EXTEND) == Short(Decimal("0.999997"))


def test_the_largest_amounts_are_exact(ledger: Ledger) -> None:
    shown(ledger, "1000000000")

    assert hold(ledger, "999999999.999999") == Held(Decimal("999999999.999999"))
    assert hold(ledger, "0.000002", EXTEND) == Short(Decimal("0.000001"))
    ledger.confirm(ACCOUNT, POST, Decimal(10**9))
    assert sums(ledger) == usd("0", "1000000000", "1000000000", "0")
    ledger.settle(ACCOUNT, JOB, Decimal("999999999.999999"))
    assert sums(ledger) == usd("0", "1000000000", "0", "999999999.999999")


@pytest.mark.parametrize("amount", ["1000000000.000001", "1e30", "NaN", "Infinity", "-0.000001"])
def test_amounts_that_cannot_be_counted_are_refused(ledger: Ledger, amount: str) -> None:
    shown(ledger, "10")
    wrong = Decimal(amount)

    with pytest.raises(Bug):
        ledger.hold(ACCOUNT, JOB, POST, wrong, now=T0)
    with pytest.raises(Bug):
        ledger.confirm(ACCOUNT, POST, wrong)
    with pytest.raises(Bug):
        ledger.settle(ACCOUNT, JOB, wrong)

    assert sums(ledger) == usd("10", "0", "0", "0")


@pytest.mark.parametrize("amount", ["1000000000.000001", "NaN", "-Infinity"])
def test_balances_that_cannot_be_counted_are_refused(ledger: Ledger, amount: str) -> None:
    with pytest.raises(Bug):
        ledger.put_balance(ACCOUNT, Marker(1), balance(amount), now=T0)

    assert ledger.view(ACCOUNT).balance is None


def test_a_negative_balance_pays_for_nothing(ledger: Ledger) -> None:
    shown(ledger, "-5")
    assert ledger.view(ACCOUNT).available == Decimal(-5)

    ledger.thaw(ACCOUNT)

    assert hold(ledger, "0.001") == Short(Decimal(-5))
    assert ledger.view(ACCOUNT).available == Decimal(-5)


def test_jobs_with_holds_come_in_the_order_of_their_ids(ledger: Ledger) -> None:
    shown(ledger, "100")
    hold(ledger, "1", HoldId("job_2:post:1"), JobId("job_2"))
    hold(ledger, "2.5", POST, JOB)
    hold(ledger, "0.25", EXTEND, JOB)
    ledger.confirm(ACCOUNT, POST, Decimal(2))
    hold(ledger, "4", HoldId("job_3:post:1"), JobId("job_3"))
    ledger.settle(ACCOUNT, JobId("job_3"), Decimal(1))

    first, second = (JOB, Decimal("2.25")), (OTHER, Decimal(1))
    assert ledger.jobs_with_holds(ACCOUNT, 10) == [first, second]
    assert ledger.jobs_with_holds(ACCOUNT, 1) == [first]
    assert ledger.jobs_with_holds(ACCOUNT, 10, JOB) == [second]
    assert ledger.jobs_with_holds(ACCOUNT, 0) == []
    assert ledger.jobs_with_holds(AccountName("other"), 10) == []
