"""Jobs that wait for credit: who, for which account, in which order."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import Reason
from dispatcher.ports.store import JobStore, Waiter
from dispatcher.store.waiting import credit_wait
from tests.store.records import (
    LEASE,
    T0,
    account,
    added,
    claimed,
    ended,
    in_store,
    job_id,
    new_job,
    short_of_credit,
    with_credit_wait,
)


def served(store: JobStore, name: str = "default", limit: int = 100) -> list[str]:
    return [waiter.id for waiter in store.waiters(account(name), limit)]


def test_waiters_are_served_by_priority_then_by_how_long_they_wait(store: JobStore) -> None:
    low = with_credit_wait(store, 1, since=T0, priority=-1)
    late = with_credit_wait(store, 2, since=T0 + 20)
    early = with_credit_wait(store, 3, since=T0 + 10)
    high = with_credit_wait(store, 4, since=T0 + 30, priority=100)
    lowest = with_credit_wait(store, 5, since=T0 - 9e8, priority=-100)

    assert served(store) == [high, early, late, low, lowest]
    assert served(store, limit=2) == [high, early]
    assert served(store, limit=0) == []


@given(
    waits=st.lists(
        st.tuples(st.integers(-100, 100), st.integers(0, 4_000_000_000_000)), min_size=2, max_size=2
    )
)
def test_ranks_order_by_priority_then_by_milliseconds_of_waiting(waits: list[tuple[int, int]]) -> None:
    ranks = []
    for priority, milliseconds in waits:
        job = new_job(at=0, priority=priority).job
        wait = credit_wait(apply(job, short_of_credit(milliseconds / 1000)))
        assert wait is not None
        ranks.append(wait.rank)
    (priority_a, since_a), (priority_b, since_b) = waits

    assert (ranks[0] < ranks[1]) == ((-priority_a, since_a) < (-priority_b, since_b))


def test_waiters_say_how_much_they_lack(store: JobStore) -> None:
    with_credit_wait(store, 1, since=T0, short="12.345678")
    with_credit_wait(store, 2, since=T0 + 1, short=None)

    assert store.waiters(account(), 10) == [
        Waiter(job_id(1), Decimal("12.345678")),
        Waiter(job_id(2), Decimal(0)),
    ]


def test_a_longer_wait_keeps_its_place_and_renews_its_amount(store: JobStore) -> None:
    with_credit_wait(store, 1, since=T0)
    with_credit_wait(store, 2, since=T0 + 1)

    in_store(store, job_id(1), short_of_credit(T0 + 50, "7"), T0 + 50)

    assert store.waiters(account(), 10) == [
        Waiter(job_id(1), Decimal(7)),
        Waiter(job_id(2), Decimal("1.5")),
    ]


def test_accounts_are_told_apart(store: JobStore) -> None:
    with_credit_wait(store, 1, since=T0, account="a")
    with_credit_wait(store, 2, since=T0, account="b")
    with_credit_wait(store, 3, since=T0, account="b")

    assert sorted(store.waiting_accounts()) == ["a", "b"]
    assert served(store, "a") == [job_id(1)]
    assert served(store, "b") == [job_id(2), job_id(3)]
    assert served(store, "c") == []

    in_store(store, job_id(1), ended(T0 + 1), T0 + 1)
    in_store(store, job_id(2), ended(T0 + 1), T0 + 1)

    assert store.waiting_accounts() == ["b"]
    assert served(store, "a") == []
    assert served(store, "b") == [job_id(3)]


def test_other_waits_are_no_waits_for_credit(store: JobStore) -> None:
    job = added(store)
    in_store(store, job.id, ev.Waited(at=T0, reason=Reason.AWAITING_NETWORK), T0)

    assert store.waiting_accounts() == []


def test_waits_for_budgets_and_for_thawing_have_lines_of_their_own(store: JobStore) -> None:
    for number, reason in enumerate(
        (Reason.AWAITING_CREDIT, Reason.AWAITING_BUDGET, Reason.ACCOUNT_FROZEN, Reason.AWAITING_BUDGET)
    ):
        job = added(store, number, priority=number - 1)
        event = ev.Waited(at=T0 + number, reason=reason, short_usd=Decimal(number), scope="label:a=b: c")
        in_store(store, job.id, event, T0 + number)

    assert store.waiting_lines() == ["budget:label:a=b: c", "default", "frozen:default"]
    assert store.waiting_accounts() == ["default"]
    first, second = store.waiters("budget:label:a=b: c", 10)
    assert (first.id, first.short_usd, first.priority) == (job_id(3), 3, 2)
    assert (second.id, second.short_usd, second.priority) == (job_id(1), 1, 0)
    assert abs(first.since - T0 - 3) < 0.001
    assert [(each.id, each.priority) for each in store.waiters("default", 9)] == [(job_id(0), -1)]

    in_store(store, job_id(2), short_of_credit(T0 + 9), T0 + 9)
    assert store.waiting_lines() == ["budget:label:a=b: c", "default"]


def test_saving_already_moves_a_job_in_and_out(store: JobStore) -> None:
    job = added(store)
    claim = claimed(store, job.id)

    claim = store.save(claim, apply(job, short_of_credit(T0)), [], now=T0, lease=LEASE)
    assert served(store) == [job.id]

    waited = ev.Waited(at=T0 + 1, reason=Reason.AWAITING_NETWORK)
    store.save(claim, apply(claim.job, waited), [], now=T0, lease=LEASE)
    assert served(store) == []
    assert store.waiting_accounts() == []


def test_a_waiter_whose_retention_ends_with_the_save_is_gone(store: JobStore) -> None:
    with_credit_wait(store, 1, since=T0)

    in_store(store, job_id(1), ended(T0 + 1), T0 + 1, retention=0)

    assert served(store) == []
    assert store.load(job_id(1)) is None
