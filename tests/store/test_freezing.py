"""Frozen accounts, and what an audit needs and leaves behind."""

from dataclasses import replace
from decimal import Decimal

import pytest
import redis

from dispatcher.domain.ids import AccountName, HoldId
from dispatcher.ports.ledger import GIVING_BACK, Audit, Frozen, Held, Ledger, Position
from dispatcher.store.redis import RedisLedger
from tests.store.books import ACCOUNT, EXTEND, JOB, OTHER, POST, balance, hold, shown
from tests.store.records import T0

CLAWED_BACK = "the network's balance is $-0.001: credit was clawed back"
AUDIT = Audit(T0, Decimal(-1), Decimal(2), Decimal("0.5"), 'why; "quoted"', 3, Decimal("1.25"))


def test_a_balance_below_zero_freezes_the_account(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "1")
    ledger.put_balance(ACCOUNT, ledger.marker(ACCOUNT), balance("10", "4", "6.001"), now=T0 + 5)
    ledger.put_balance(ACCOUNT, ledger.marker(ACCOUNT), balance("10", "4", "9"), now=T0 + 6)

    assert ledger.view(ACCOUNT).frozen == Frozen(T0 + 5, CLAWED_BACK, "balance")
    assert hold(ledger, "0", EXTEND) == Frozen(T0 + 5, CLAWED_BACK, "balance")
    assert ledger.view(AccountName("other")).frozen is None


def test_what_was_held_before_is_confirmed_voided_and_settled_as_ever(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "1")
    hold(ledger, "2", EXTEND)
    ledger.freeze(ACCOUNT, "why", by="me", now=T0)

    assert hold(ledger, "1") == Held(Decimal(1))
    ledger.confirm(ACCOUNT, POST, Decimal("0.5"))
    ledger.void(ACCOUNT, EXTEND)
    assert ledger.view(ACCOUNT).held == Decimal("0.5")
    ledger.settle(ACCOUNT, JOB, Decimal("0.25"))
    assert (ledger.view(ACCOUNT).held, ledger.view(ACCOUNT).settled) == (0, Decimal("0.25"))


@pytest.mark.parametrize(("assigned", "frozen"), [("6", False), ("5.9999999", True)])
def test_rounding_freezes_nobody(ledger: Ledger, assigned: str, frozen: bool) -> None:
    shown(ledger, assigned, "3.0000004", "2.9999996")

    assert (ledger.view(ACCOUNT).frozen is not None) is frozen


def test_an_older_answer_freezes_nobody(ledger: Ledger) -> None:
    early = ledger.marker(ACCOUNT)
    shown(ledger, "10")

    assert not ledger.put_balance(ACCOUNT, early, balance("-1"), now=T0)
    assert ledger.view(ACCOUNT).frozen is None


def test_credit_that_arrives_does_not_thaw(ledger: Ledger) -> None:
    shown(ledger, "-1")
    shown(ledger, "10")
    assert isinstance(hold(ledger, "1"), Frozen)

    ledger.thaw(ACCOUNT)
    ledger.thaw(ACCOUNT)

    assert ledger.view(ACCOUNT).frozen is None
    assert hold(ledger, "1") == Held(Decimal(1))


def test_the_first_reason_stays(ledger: Ledger) -> None:
    ledger.freeze(ACCOUNT, "ünusual use", by="me", now=T0)
    ledger.freeze(ACCOUNT, "another", by="you", now=T0 + 1)
    shown(ledger, "-1")

    assert ledger.view(ACCOUNT).frozen == Frozen(T0, "ünusual use", "me")
    assert isinstance(hold(ledger, "1"), Frozen)


def test_an_account_of_an_earlier_version_goes_on(client: redis.Redis) -> None:
    """Its books have none of the newer fields, and its holds are counted for nobody."""
    books = {
        **{"marker": 2, "balance_marker": 1, "balance_at": repr(T0), "assigned": 10_000_000, "reserved": 0},
        **{"spent": 0, "unseen": 3_000_000, "held": 3_000_000, "settled": 500_000},
    }
    client.hset("test:credit:default", mapping=books)
    client.hset("test:credit:default:holds", mapping={POST: f"1000000::{JOB}", EXTEND: f"2000000:1:{JOB}"})
    client.sadd(f"test:credit:default:job:{JOB}", POST, EXTEND)
    client.zadd("test:credit:default:unseen", {f"h:{EXTEND}": 1})
    ledger = RedisLedger(client, "test")

    view = ledger.view(ACCOUNT)
    assert (view.available, view.held, view.frozen, view.audit) == (7, 3, None, None)
    assert ledger.position(ACCOUNT) == Position(
        *(balance("10"), Decimal(0), Decimal(2), Decimal(1), Decimal(0), Decimal("0.5"), 0, Decimal(0), 1),
        audit=None,
    )
    ledger.confirm(ACCOUNT, POST, Decimal(1))
    shown(ledger, "10", "3")
    ledger.settle(ACCOUNT, JOB, Decimal(1))
    assert (ledger.view(ACCOUNT).held, ledger.view(ACCOUNT).settled) == (0, Decimal("1.5"))
    position = ledger.position(ACCOUNT)
    assert position is not None
    assert (position.returning, position.settlements, position.jobs) == (2, 1, 0)


def test_the_books_taken_apart(ledger: Ledger) -> None:
    assert ledger.position(ACCOUNT) is None
    shown(ledger, "100")
    for number, amount in enumerate(("1", "2", "4", "8"), 1):
        hold(ledger, amount, HoldId(f"hold {number}"), JOB if number < 3 else OTHER)
    ledger.confirm(ACCOUNT, HoldId("hold 1"), Decimal(1))
    shown(ledger, "100", "1")
    ledger.confirm(ACCOUNT, HoldId("hold 3"), Decimal(4))
    position = ledger.position(ACCOUNT)

    assert position is not None
    assert (position.shown, position.unshown, position.open, position.tails) == (1, 4, 10, 0)
    assert (position.settled, position.settlements, position.returning, position.jobs) == (0, 0, 0, 2)

    ledger.settle(ACCOUNT, OTHER, Decimal(3))
    position = ledger.position(ACCOUNT)
    assert position is not None
    assert (position.shown, position.unshown, position.open, position.tails) == (1, 0, 2, 4)
    assert (position.settled, position.settlements, position.returning, position.jobs) == (3, 1, 9, 1)


def test_what_was_given_back_long_ago_has_arrived(ledger: Ledger) -> None:
    def asked(after: float) -> Decimal:
        ledger.put_balance(ACCOUNT, ledger.marker(ACCOUNT), balance("100"), now=T0 + after)
        position = ledger.position(ACCOUNT)
        assert position is not None
        return position.returning

    asked(0)
    hold(ledger, "5")
    ledger.settle(ACCOUNT, JOB, Decimal(1))
    assert [asked(10), asked(GIVING_BACK), asked(2 * GIVING_BACK - 1)] == [4, 4, 4]
    assert asked(2 * GIVING_BACK) == 0
    hold(ledger, "5", EXTEND, OTHER)
    ledger.settle(ACCOUNT, OTHER, Decimal(3))
    assert [asked(2 * GIVING_BACK + 1), asked(3 * GIVING_BACK)] == [2, 2]
    assert asked(9 * GIVING_BACK) == 0


def test_jobs_with_holds_in_the_order_of_their_ids(ledger: Ledger) -> None:
    assert ledger.jobs_with_holds(ACCOUNT, 10) == []
    shown(ledger, "100")
    hold(ledger, "4", HoldId("c"), OTHER)
    hold(ledger, "1", POST)
    hold(ledger, "2", EXTEND)

    assert ledger.jobs_with_holds(ACCOUNT, 10) == [(JOB, 3), (OTHER, 4)]
    assert ledger.jobs_with_holds(ACCOUNT, 1) == [(JOB, 3)]
    assert ledger.jobs_with_holds(ACCOUNT, 10, JOB) == [(OTHER, 4)]
    assert ledger.jobs_with_holds(ACCOUNT, 0) == []
    assert ledger.jobs_with_holds(AccountName("other"), 10) == []
    ledger.settle(ACCOUNT, JOB, Decimal(0))
    assert ledger.jobs_with_holds(ACCOUNT, 10) == [(OTHER, 4)]


def test_an_audit_is_kept_unless_another_came_between(ledger: Ledger) -> None:
    newer = replace(AUDIT, at=T0 + 1, drift=Decimal(0))

    assert ledger.view(ACCOUNT).audit is None
    assert ledger.keep_audit(ACCOUNT, AUDIT, replaces=None)
    assert ledger.keep_audit(ACCOUNT, AUDIT, replaces=None)  # the answer got lost
    assert ledger.view(ACCOUNT).audit == AUDIT
    assert not ledger.keep_audit(ACCOUNT, newer, replaces=None)
    assert ledger.keep_audit(ACCOUNT, newer, replaces=AUDIT)
    assert not ledger.keep_audit(ACCOUNT, AUDIT, replaces=AUDIT)
    shown(ledger, "10")
    position = ledger.position(ACCOUNT)
    assert position is not None
    assert position.audit == ledger.view(ACCOUNT).audit == newer
