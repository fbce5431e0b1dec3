"""Long runs against a small model of the network: no order of events makes the ledger spend what is not there.

The model: an account's credits, reservations that are made when a call lands and end when the network closes a
job's books. The ledger learns of either later, and of balances later still, in any order. Meanwhile days go by, budgets
come and go, and the account is frozen and thawed.
"""

import itertools
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.domain.budget import Budget, Scope, Window, window_id
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import Frozen, Held, Ledger, LedgerView, Marker, Over, Short
from dispatcher.ports.provider import Balance
from dispatcher.store.memory import MemoryLedger
from dispatcher.store.redis import RedisLedger
from tests.store.records import T0

ACCOUNT = AccountName("default")
SLOTS = st.integers(0, 1)
AMOUNTS = st.integers(1, 60).map(lambda tenths: Decimal(tenths) / 10)
FRACTIONS = st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)])
CHOICES = st.integers(0, 59)
SCOPES = [Scope("account:default"), Scope("label:a"), Scope("label:team=b")]
OF_SLOT = [SCOPES[:2], [SCOPES[0], SCOPES[2]]]
STEPS = st.one_of(
    st.tuples(st.just("live"), SLOTS, CHOICES, AMOUNTS, FRACTIONS),
    st.tuples(st.just("live"), SLOTS, CHOICES, AMOUNTS, FRACTIONS),
    st.sampled_from([("take_marker",), ("refresh",)]),
    st.tuples(st.sampled_from(["ask", "put"]), CHOICES),
    st.tuples(st.just("top_up"), AMOUNTS),
    st.tuples(st.just("budget"), st.sampled_from(SCOPES), st.sampled_from(list(Window)), AMOUNTS | st.none()),
    st.tuples(st.just("pass_time"), st.sampled_from([3600.0, 40_000.0, 90_000.0, 40 * 86_400.0])),
    st.sampled_from([("freeze",), ("thaw",), ("thaw",)]),
)


@dataclass
class Network:
    """What the account really has."""

    assigned: Decimal
    reserved: dict[HoldId, Decimal] = field(default_factory=dict)
    settled: Decimal = Decimal(0)

    def balance(self) -> Balance:
        return Balance(self.assigned, sum(self.reserved.values(), Decimal(0)), self.settled)

    def close(self, holds: list[HoldId], cost: Decimal) -> None:
        for hold in holds:
            self.reserved.pop(hold)
        self.settled += cost


@dataclass
class Charge:
    """What a hold counts, in which windows, and in which of the totals that were set."""

    amount: Decimal
    windows: dict[Window, str]
    totals: list[int]


@dataclass
class LiveJob:
    id: JobId
    scopes: list[Scope]
    charges: dict[HoldId, Charge] = field(default_factory=dict)
    holds: list[HoldId] = field(default_factory=list)
    landed: list[HoldId] = field(default_factory=list)
    cost: Decimal | None = None
    closed: bool = False
    settled: bool = False


class Spending:
    """One account, its network, and the ledgers that keep its books: several must give the same answers."""

    def __init__(self, ledgers: list[Ledger], assigned: int) -> None:
        self.ledgers = ledgers
        self.network = Network(Decimal(assigned))
        self.now = T0
        self.frozen = False
        self.budgets: dict[tuple[Scope, Window], tuple[Decimal, int]] = {}
        self.serials = itertools.count()
        self.jobs = [LiveJob(JobId(f"job_{number}"), OF_SLOT[number]) for number in range(2)]
        self.slots = self.jobs.copy()
        self.open: dict[HoldId, Decimal] = {}
        self.total_cost = Decimal(0)
        self.markers: list[Marker] = []
        self.answers: list[tuple[Marker, Balance]] = []
        self.refresh()

    # --- balances: a marker is taken, the network is asked later, the answer is put later still -------------

    def take_marker(self) -> None:
        taken = {ledger.marker(ACCOUNT) for ledger in self.ledgers}
        assert len(taken) == 1
        self.markers.append(taken.pop())

    def ask(self, which: int) -> None:
        if self.markers:
            self.answers.append((self.markers.pop(which % len(self.markers)), self.network.balance()))

    def put(self, which: int) -> None:
        if self.answers:
            marker, balance = self.answers[which % len(self.answers)]
            answers = {ledger.put_balance(ACCOUNT, marker, balance, now=self.now) for ledger in self.ledgers}
            assert len(answers) == 1

    def refresh(self) -> None:
        self.take_marker()
        self.ask(-1)
        self.put(-1)

    def top_up(self, amount: Decimal) -> None:
        self.network.assigned += amount

    # --- jobs ---------------------------------------------------------------------------------------------

    def live(self, slot: int, choice: int, amount: Decimal, part: Decimal) -> None:
        """Something that can happen now happens to the job in the slot; when it is over for all, a new one comes."""
        job = self.slots[slot]
        if job.closed and job.settled:
            job = self.slots[slot] = LiveJob(JobId(f"job_{len(self.jobs)}"), OF_SLOT[slot])
            self.jobs.append(job)
        waiting = [hold for hold in job.holds if hold in self.open]
        if job.cost is not None:
            possible = [partial(self.settle, job), partial(self.close_books, job)]
        elif waiting:
            possible = [
                partial(self.call, job, waiting[0], part),
                partial(self.call, job, waiting[-1], part),
                partial(self.void, waiting[0]),
                partial(self.hold, job, amount),
                partial(self.end, job, part),
            ]
        elif job.landed:
            possible = [
                partial(self.confirm, job),
                partial(self.hold, job, amount),
                partial(self.end, job, part),
            ]
        else:
            possible = [partial(self.hold, job, amount)]
        possible[choice % len(possible)]()

    def hold(self, job: LiveJob, amount: Decimal) -> None:
        hold = HoldId(f"{job.id}:{len(job.holds)}")
        other = next(each for each in self.slots if each is not job)
        given = [
            ledger.hold(
                *(ACCOUNT, job.id, hold, amount),
                now=self.now,
                scopes=job.scopes,
                cap=Decimal(12),
                ahead=[(other.id, Decimal(1))],
            )
            for ledger in self.ledgers
        ]
        assert all(answer == given[0] for answer in given)
        match given[0]:
            case Held():
                assert not self.frozen
                job.holds.append(hold)
                self.open[hold] = amount
                windows = {window: window_id(window, self.now) for window in (Window.DAY, Window.MONTH)}
                totals = [
                    serial
                    for (scope, window), (_, serial) in self.budgets.items()
                    if scope in job.scopes and window is Window.TOTAL
                ]
                job.charges[hold] = Charge(amount, windows, totals)
                for (scope, window), (limit, _) in self.budgets.items():
                    assert scope not in job.scopes or self.used(scope, window) <= limit
            case Short():
                assert given[0].available - given[0].promised < amount
                waits = Decimal(1) if not any(hold in self.open for hold in other.holds) else Decimal(0)
                assert given[0].promised in (0, waits)
            case Over():
                if given[0].scope == "job":
                    assert given[0].used + amount > 12
                else:
                    assert given[0].used == self.used(given[0].scope, given[0].window)
                    assert given[0].used + amount > self.budgets[given[0].scope, given[0].window][0]
            case Frozen():
                assert self.frozen

    # --- budgets, days, freezing ----------------------------------------------------------------------------

    def budget(self, scope: Scope, window: Window, limit: Decimal | None) -> None:
        if limit is None:
            self.budgets.pop((scope, window), None)
            for ledger in self.ledgers:
                ledger.remove_budget(scope, window)
            return
        _, serial = self.budgets.get((scope, window), (limit, next(self.serials)))
        self.budgets[scope, window] = limit, serial
        for ledger in self.ledgers:
            ledger.set_budget(Budget(scope, window, limit), now=self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def freeze(self) -> None:
        self.frozen = True
        for ledger in self.ledgers:
            ledger.freeze(ACCOUNT, "why", by="me", now=self.now)

    def thaw(self) -> None:
        self.frozen = False
        for ledger in self.ledgers:
            ledger.thaw(ACCOUNT)

    def used(self, scope: Scope, window: Window) -> Decimal:
        """What the scope has used in the window, summed up charge by charge."""
        its = [charge for job in self.jobs if scope in job.scopes for charge in job.charges.values()]
        if window is Window.TOTAL:
            serial = self.budgets[scope, window][1]
            return sum((charge.amount for charge in its if serial in charge.totals), Decimal(0))
        current = window_id(window, self.now)
        return sum((charge.amount for charge in its if charge.windows[window] == current), Decimal(0))

    def call(self, job: LiveJob, hold: HoldId, part: Decimal) -> None:
        """The call lands. The network may reserve less than was held; its answer comes later."""
        self.network.reserved[hold] = self.open.pop(hold) * part
        job.landed.append(hold)

    def confirm(self, job: LiveJob) -> None:
        """All answers come in; those that came in before are repeated."""
        for hold, ledger in itertools.product(job.landed, self.ledgers):
            ledger.confirm(ACCOUNT, hold, self.network.reserved[hold])
        for hold in job.landed:
            job.charges[hold].amount = self.network.reserved[hold]

    def void(self, hold: HoldId) -> None:
        """The network refuses the call."""
        del self.open[hold]
        for job in self.jobs:
            job.charges.pop(hold, None)
        for ledger in self.ledgers:
            ledger.void(ACCOUNT, hold)

    def end(self, job: LiveJob, part: Decimal) -> None:
        """The job is over; every answer has come in by then."""
        self.confirm(job)
        job.cost = part * sum((self.network.reserved[hold] for hold in job.landed), Decimal(0))

    def close_books(self, job: LiveJob) -> None:
        """The network gives back what was not used: before or after the dispatcher settles."""
        if job.cost is not None and not job.closed:
            job.closed = True
            self.network.close(job.landed, job.cost)

    def settle(self, job: LiveJob) -> None:
        assert job.cost is not None
        for hold in job.holds:
            self.open.pop(hold, None)
        if not job.settled:
            job.settled = True
            self.total_cost += job.cost
            left = job.cost
            for charge in job.charges.values():
                charge.amount = min(charge.amount, left)
                left -= charge.amount
        for ledger in self.ledgers:
            ledger.settle(ACCOUNT, job.id, job.cost)

    # --- what must hold -----------------------------------------------------------------------------------

    def view(self) -> LedgerView:
        views = [ledger.view(ACCOUNT) for ledger in self.ledgers]
        assert all(view == views[0] for view in views)
        return views[0]

    def check(self) -> None:
        view, promised = self.view(), sum(self.open.values(), Decimal(0))
        assert view.available is not None
        # Nothing is promised that is not there, and no more seems to be available than there is.
        assert promised <= self.network.balance().available
        assert view.available <= self.network.balance().available - promised
        assert view.settled == self.total_cost
        assert (view.frozen is not None) == self.frozen
        positions = [ledger.position(ACCOUNT) for ledger in self.ledgers]
        assert all(position == positions[0] for position in positions)
        held = [ledger.jobs_with_holds(ACCOUNT, 9) for ledger in self.ledgers]
        assert all(each == held[0] for each in held)
        assert sum((amount for _, amount in held[0]), Decimal(0)) == view.held
        uses = [ledger.budgets(now=self.now) for ledger in self.ledgers]
        assert all(use == uses[0] for use in uses)
        assert {(use.budget.scope, use.budget.window) for use in uses[0]} == set(self.budgets)
        for use in uses[0]:
            assert use.used == self.used(use.budget.scope, use.budget.window)
            assert 0 <= use.held <= view.held
        if not any(job.holds and not job.settled for job in self.jobs):
            assert view.held == 0

    def come_to_rest(self) -> None:
        """In the end the ledger and the network agree to the last cent."""
        self.thaw()
        for job in self.slots:
            if job.cost is None:
                self.end(job, Decimal(1))
            self.settle(job)
            self.check()
            self.close_books(job)
        self.refresh()
        view = self.view()
        assert view.available == self.network.balance().available
        assert [view.unseen, view.held] == [0, 0]
        assert all(use.held == 0 for use in self.ledgers[0].budgets(now=self.now))


def run(ledgers: list[Ledger], assigned: int, steps: list[tuple[Any, ...]]) -> None:
    spending = Spending(ledgers, assigned)
    for name, *arguments in steps:
        getattr(spending, name)(*arguments)
        spending.check()
    spending.come_to_rest()


@given(assigned=st.integers(1, 20), steps=st.lists(STEPS, min_size=20, max_size=60))
@settings(max_examples=400, deadline=None)
def test_the_ledger_never_spends_what_is_not_there(assigned: int, steps: list[tuple[Any, ...]]) -> None:
    run([MemoryLedger()], assigned, steps)


def test_the_ledger_on_redis_does_the_same(client: redis.Redis) -> None:
    numbers = itertools.count()

    @given(assigned=st.integers(1, 20), steps=st.lists(STEPS, min_size=20, max_size=60))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def both(assigned: int, steps: list[tuple[Any, ...]]) -> None:
        run([MemoryLedger(), RedisLedger(client, f"test{next(numbers)}")], assigned, steps)

    both()
