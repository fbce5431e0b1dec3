"""The ledger between two attempts of a job: what the last one cost is settled, and what it left goes along."""

import itertools
from decimal import Decimal
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.domain.budget import Budget, Scope, Window
from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.ids import HoldId, JobId
from dispatcher.ports.ledger import Held, Ledger, Over, Short, kept_name
from dispatcher.store.memory import MemoryLedger
from dispatcher.store.redis import RedisLedger
from tests.store.books import ACCOUNT, EXTEND, JOB, OTHER, POST, hold, shown, sums, usd
from tests.store.records import T0

KEPT, NEXT = kept_name(JOB), HoldId("job_1:post:2")
TEAM = Scope("label:team")


def settle(ledger: Ledger, cost: str, keep: str | None = None, attempt: int = 1) -> None:
    kept = None if keep is None else (KEPT, Decimal(keep))
    ledger.settle_attempt(ACCOUNT, JOB, attempt, Decimal(cost), keep=kept)


def take(
    ledger: Ledger, amount: str, *, name: HoldId = NEXT, takes: HoldId = KEPT, **more: Any
) -> Held | object:
    return ledger.hold(ACCOUNT, JOB, name, Decimal(amount), now=T0, takes=takes, **more)


def attempted(ledger: Ledger, cost: str = "2", keep: str | None = "6") -> None:
    """The first attempt was held for at 6, confirmed and seen, and is settled; the network gave the rest back."""
    shown(ledger, "10")
    hold(ledger, "6")
    ledger.confirm(ACCOUNT, POST, Decimal(6))
    shown(ledger, "10", "6")
    settle(ledger, cost, keep)
    shown(ledger, "10", "0", cost)


def test_what_an_attempt_did_not_use_stays_held(ledger: Ledger) -> None:
    """The balance is from before: what the network is to give back is not available twice."""
    shown(ledger, "10")
    hold(ledger, "6")
    ledger.confirm(ACCOUNT, POST, Decimal(6))
    shown(ledger, "10", "6")
    settle(ledger, "2", "6")
    assert sums(ledger) == usd("0", "4", "4", "2")


@pytest.mark.parametrize(
    ("cost", "keep", "available", "held"),
    [
        ("2", "6", "4", "4"),  # no more than was not used
        ("2", "3", "5", "3"),  # no more than is asked for
        ("2", "4", "4", "4"),
        ("2", None, "8", "0"),
        ("6", "6", "4", "0"),
        ("7", "6", "3", "0"),
        ("0", "6", "4", "6"),
    ],
)
def test_as_much_is_kept_as_was_not_used(
    ledger: Ledger, cost: str, keep: str | None, available: str, held: str
) -> None:
    attempted(ledger, cost, keep)
    assert sums(ledger) == usd(available, held, held, cost)
    position = ledger.position(ACCOUNT)
    assert position is not None
    assert (position.open, position.shown, position.settlements) == (Decimal(held), 0, 1)


def test_nobody_else_gets_what_is_kept(ledger: Ledger) -> None:
    attempted(ledger)
    assert hold(ledger, "4.5", HoldId("job_2:post:1"), OTHER) == Short(Decimal(4))
    assert hold(ledger, "4", HoldId("job_2:post:1"), OTHER) == Held(Decimal(4))
    assert take(ledger, "4") == Held(Decimal(4))
    assert ledger.view(ACCOUNT).available == 0


@pytest.mark.parametrize("amount", ["3", "4", "5", "8"])
def test_the_next_hold_takes_its_place_whatever_its_size(ledger: Ledger, amount: str) -> None:
    attempted(ledger)
    assert take(ledger, amount) == Held(Decimal(amount))
    assert take(ledger, amount) == Held(Decimal(amount))  # once
    assert sums(ledger) == (8 - Decimal(amount), Decimal(amount), Decimal(amount), Decimal(2))
    assert ledger.jobs_with_holds(ACCOUNT, 9) == [(JOB, Decimal(amount))]


def test_only_what_it_is_larger_by_has_to_be_available(ledger: Ledger) -> None:
    attempted(ledger)
    hold(ledger, "3", HoldId("job_2:post:1"), OTHER)
    assert take(ledger, "5.5") == Short(Decimal(1), kept=Decimal(4))
    assert sums(ledger) == usd("1", "7", "7", "2")  # and nothing was lost
    assert take(ledger, "5") == Held(Decimal(5))


def test_it_is_taken_over_even_while_the_network_has_not_given_back_what_is_left(ledger: Ledger) -> None:
    shown(ledger, "6")
    hold(ledger, "6")
    ledger.confirm(ACCOUNT, POST, Decimal(6))
    shown(ledger, "6", "6")
    settle(ledger, "2", "6")
    assert ledger.view(ACCOUNT).available == -4
    assert take(ledger, "4") == Held(Decimal(4))
    assert take(ledger, "4.1", name=HoldId("job_1:post:3"), takes=NEXT) == Short(Decimal(-4), kept=Decimal(4))


def test_a_second_settlement_of_the_attempt_has_no_effect(ledger: Ledger) -> None:
    attempted(ledger)
    before = sums(ledger)
    settle(ledger, "2", "6")
    assert sums(ledger) == before
    take(ledger, "5")
    settle(ledger, "2", "6")
    assert sums(ledger) == usd("3", "5", "5", "2")
    ledger.confirm(ACCOUNT, NEXT, Decimal(5))
    settle(ledger, "2", "6")
    assert ledger.view(ACCOUNT).held == 5


def test_the_end_of_the_job_counts_its_last_attempt_and_frees_what_was_kept(ledger: Ledger) -> None:
    attempted(ledger)
    take(ledger, "5")
    ledger.confirm(ACCOUNT, NEXT, Decimal(5))
    settle(ledger, "1", "5", attempt=2)
    assert ledger.view(ACCOUNT).settled == 3
    ledger.settle(ACCOUNT, JOB, Decimal(0))
    shown(ledger, "10", "0", "3")
    assert sums(ledger) == usd("7", "0", "0", "3")
    settle(ledger, "1", "5", attempt=3)  # a worker that missed the end
    assert sums(ledger) == usd("7", "0", "0", "3")
    with pytest.raises(LeaseLost):
        take(ledger, "1")


def test_nothing_is_held_for_an_attempt_that_is_settled(ledger: Ledger) -> None:
    """By a worker that stood still while others went on: it would take from what the next attempt may cost."""
    attempted(ledger)
    with pytest.raises(LeaseLost):
        ledger.hold(ACCOUNT, JOB, EXTEND, Decimal(1), now=T0, attempt=1)
    assert ledger.jobs_with_holds(ACCOUNT, 9) == [(JOB, Decimal(4))]
    assert isinstance(take(ledger, "6", attempt=2), Held)
    assert isinstance(ledger.hold(ACCOUNT, OTHER, HoldId("o"), Decimal(1), now=T0, attempt=1), Held)


def test_all_holds_of_the_attempt_are_closed_and_those_of_others_stay(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "3")
    ledger.confirm(ACCOUNT, POST, Decimal(3))
    hold(ledger, "2", EXTEND)  # in doubt
    hold(ledger, "1", HoldId("job_2:post:1"), OTHER)
    settle(ledger, "1", "3")
    assert dict(ledger.jobs_with_holds(ACCOUNT, 9)) == {JOB: Decimal(3), OTHER: Decimal(1)}
    shown(ledger, "10", "0", "1")
    assert sums(ledger) == usd("5", "4", "4", "1")


@pytest.mark.parametrize("takes", [POST, HoldId("unknown"), HoldId("job_2:post:1")])
def test_only_an_open_hold_of_the_job_is_taken(ledger: Ledger, takes: HoldId) -> None:
    shown(ledger, "10")
    hold(ledger, "6")
    ledger.confirm(ACCOUNT, POST, Decimal(6))
    hold(ledger, "1", HoldId("job_2:post:1"), OTHER)
    assert take(ledger, "4", takes=takes) == Short(Decimal(3))
    assert take(ledger, "3", takes=takes) == Held(Decimal(3))
    assert ledger.view(ACCOUNT).held == 10


def test_a_hold_can_be_made_to_fit_in_place(ledger: Ledger) -> None:
    shown(ledger, "10")
    hold(ledger, "6")
    hold(ledger, "3", HoldId("job_2:post:1"), OTHER)
    assert take(ledger, "7", name=POST, takes=POST) == Held(Decimal(7))
    assert take(ledger, "7.5", name=POST, takes=POST) == Short(Decimal(0), kept=Decimal(7))
    assert sums(ledger) == usd("0", "10", "10", "0")


def test_the_jobs_own_cap_counts_what_it_takes_once(ledger: Ledger) -> None:
    attempted(ledger)
    assert isinstance(take(ledger, "4.5", cap=Decimal("4.4")), Over)
    assert take(ledger, "4", cap=Decimal(4)) == Held(Decimal(4))


def test_frozen_credit_is_not_taken_over_but_stays_with_the_job(ledger: Ledger) -> None:
    attempted(ledger)
    ledger.freeze(ACCOUNT, "why", by="me", now=T0)
    assert not isinstance(take(ledger, "4"), Held)
    ledger.thaw(ACCOUNT)
    assert take(ledger, "4") == Held(Decimal(4))


def test_of_a_job_ahead_that_has_only_what_was_kept_the_rest_is_promised(ledger: Ledger) -> None:
    attempted(ledger)
    answer = ledger.hold(
        ACCOUNT, OTHER, HoldId("job_2:post:1"), Decimal(4), now=T0, ahead=[(JOB, Decimal(1))]
    )
    assert answer == Short(Decimal(4), promised=Decimal(1))


class TestBudgets:
    def held(self, ledger: Ledger, amount: str, name: HoldId, *, takes: HoldId | None = None) -> object:
        return ledger.hold(ACCOUNT, JOB, name, Decimal(amount), now=T0, scopes=[TEAM], takes=takes)

    def use(self, ledger: Ledger) -> tuple[Decimal, Decimal]:
        (found,) = ledger.budgets(now=T0)
        return found.used, found.held

    def test_what_is_kept_counts_and_what_is_given_back_does_not(self, ledger: Ledger) -> None:
        shown(ledger, "100")
        ledger.set_budget(Budget(TEAM, Window.DAY, Decimal(9)), now=T0)
        self.held(ledger, "6", POST)
        ledger.confirm(ACCOUNT, POST, Decimal(6))
        settle(ledger, "2", "3")
        assert self.use(ledger) == (5, 3)
        assert isinstance(self.held(ledger, "7.5", NEXT, takes=KEPT), Over)
        assert self.use(ledger) == (5, 3)
        assert self.held(ledger, "7", NEXT, takes=KEPT) == Held(Decimal(7))
        assert self.use(ledger) == (9, 7)
        ledger.confirm(ACCOUNT, NEXT, Decimal(7))
        ledger.settle(ACCOUNT, JOB, Decimal(1))
        assert self.use(ledger) == (3, 0)

    def test_what_was_kept_is_counted_no_more_once_it_is_free(self, ledger: Ledger) -> None:
        shown(ledger, "100")
        ledger.set_budget(Budget(TEAM, Window.TOTAL, Decimal(9)), now=T0)
        self.held(ledger, "6", POST)
        settle(ledger, "0", "6")
        assert self.use(ledger) == (6, 6)
        ledger.void(ACCOUNT, KEPT)
        assert self.use(ledger) == (0, 0)
        assert sums(ledger) == usd("100", "0", "0", "0")


AMOUNTS = st.integers(0, 40).map(lambda tenths: Decimal(tenths) / 10)
JOBS = st.sampled_from([JOB, OTHER])
NAMES = st.sampled_from(["post:1", "post:2", "extend:1", "kept"])
STEPS = st.one_of(
    st.tuples(st.just("hold"), JOBS, NAMES, AMOUNTS, st.none() | NAMES, st.none()),
    st.tuples(st.just("hold"), JOBS, NAMES, AMOUNTS, st.none() | NAMES, st.integers(1, 4)),
    st.tuples(st.just("confirm"), JOBS, NAMES, AMOUNTS),
    st.tuples(st.just("void"), JOBS, NAMES),
    st.tuples(st.just("settle_attempt"), JOBS, st.integers(1, 4), AMOUNTS, st.none() | AMOUNTS),
    st.tuples(st.just("settle"), JOBS, AMOUNTS),
    st.tuples(st.just("shown"), AMOUNTS, AMOUNTS),
    st.tuples(st.just("budget"), AMOUNTS),
    st.tuples(st.just("pass_time"), st.sampled_from([3600.0, 90_000.0])),
)


def step(ledger: Ledger, now: float, what: str, *given: Any) -> object:
    def name(job: JobId, part: str | None) -> HoldId | None:
        return None if part is None else HoldId(f"{job}:{part}")

    match what, *given:
        case "hold", job, part, amount, takes, attempt:
            wanted, taken = name(job, part), name(job, takes)
            assert wanted is not None
            try:
                return ledger.hold(
                    ACCOUNT, job, wanted, amount, now=now, scopes=[TEAM], takes=taken, attempt=attempt
                )
            except LeaseLost:
                return "settled"
        case "confirm", job, part, amount:
            return ledger.confirm(ACCOUNT, HoldId(f"{job}:{part}"), amount)  # type: ignore[func-returns-value]
        case "void", job, part:
            return ledger.void(ACCOUNT, HoldId(f"{job}:{part}"))  # type: ignore[func-returns-value]
        case "settle_attempt", job, attempt, cost, keep:
            kept = None if keep is None else (kept_name(job), keep)
            return ledger.settle_attempt(ACCOUNT, job, attempt, cost, keep=kept)  # type: ignore[func-returns-value]
        case "settle", job, cost:
            return ledger.settle(ACCOUNT, job, cost)  # type: ignore[func-returns-value]
        case "shown", assigned, reserved:
            return shown(ledger, str(assigned + 10), str(reserved))  # type: ignore[func-returns-value]
        case "budget", limit:
            for window in Window:
                ledger.set_budget(Budget(TEAM, window, limit + 3), now=now)
    return None


def test_both_ledgers_do_the_same(client: redis.Redis) -> None:
    numbers = itertools.count()

    @given(steps=st.lists(STEPS, min_size=5, max_size=25))
    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def same(steps: list[tuple[Any, ...]]) -> None:
        ledgers: list[Ledger] = [MemoryLedger(), RedisLedger(client, f"test{next(numbers)}")]
        now = T0
        for ledger in ledgers:
            shown(ledger, "10")
        for what, *given_ in steps:
            now += given_[0] if what == "pass_time" else 0
            answers = [step(ledger, now, what, *given_) for ledger in ledgers]
            assert answers[0] == answers[1]
            views = [(each.view(ACCOUNT), each.position(ACCOUNT), each.budgets(now=now)) for each in ledgers]
            assert views[0] == views[1]
            held = ledgers[0].jobs_with_holds(ACCOUNT, 9)
            assert held == ledgers[1].jobs_with_holds(ACCOUNT, 9)
            view, position, uses = views[0]
            assert position is not None
            assert view.held == sum(amount for _, amount in held)
            assert min(position.open, position.shown, position.unshown, position.tails) >= 0
            assert all(0 <= use.held <= view.held for use in uses)

    same()
