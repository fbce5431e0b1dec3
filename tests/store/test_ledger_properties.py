"""Long runs against a small model of the network: no order of events makes the ledger spend what is not there.

The model: an account's credits, reservations that are made when a call lands and end when the network closes a
job's books. The ledger learns of either later, and of balances later still, in any order.
"""

import itertools
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar

import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import Held, Ledger, LedgerView, Marker, Short
from dispatcher.ports.provider import Balance
from dispatcher.store.memory import MemoryLedger
from dispatcher.store.redis import RedisLedger
from tests.store.records import T0

ACCOUNT = AccountName("default")
AMOUNTS = st.integers(0, 60).map(lambda tenths: Decimal(tenths) / 10)
FRACTIONS = st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)])


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
class LiveJob:
    id: JobId
    holds: list[HoldId] = field(default_factory=list)
    landed: list[HoldId] = field(default_factory=list)
    cost: Decimal | None = None
    closed: bool = False
    settled: bool = False


class Spending(RuleBasedStateMachine):
    """Where there is a client, both ledgers side by side: they must also give the same answers."""

    client: ClassVar[redis.Redis | None] = None
    numbers = itertools.count()

    jobs = Bundle("jobs")
    markers = Bundle("markers")
    answers = Bundle("answers")

    @initialize(assigned=st.integers(0, 20))
    def begin(self, assigned: int) -> None:
        self.ledgers: list[Ledger] = [MemoryLedger()]
        if self.client is not None:
            self.ledgers.append(RedisLedger(self.client, f"test{next(self.numbers)}"))
        self.network = Network(Decimal(assigned))
        self.live: list[LiveJob] = []
        self.open: dict[HoldId, Decimal] = {}
        self.total_cost = Decimal(0)
        self.put(self.ask(self.take_marker()))

    # --- balances: a marker is taken, the network is asked later, the answer is put later still -------------

    @rule(target=markers)
    def take_marker(self) -> Marker:
        taken = {ledger.marker(ACCOUNT) for ledger in self.ledgers}
        assert len(taken) == 1
        return taken.pop()

    @rule(target=answers, marker=consumes(markers))
    def ask(self, marker: Marker) -> tuple[Marker, Balance]:
        return marker, self.network.balance()

    @rule(answer=answers)
    def put(self, answer: tuple[Marker, Balance]) -> None:
        marker, balance = answer
        assert len({ledger.put_balance(ACCOUNT, marker, balance, now=T0) for ledger in self.ledgers}) == 1

    @rule()
    def refresh(self) -> None:
        self.put(self.ask(self.take_marker()))

    @rule(amount=AMOUNTS)
    def top_up(self, amount: Decimal) -> None:
        self.network.assigned += amount

    # --- jobs ---------------------------------------------------------------------------------------------

    @rule(target=jobs)
    def new_job(self) -> LiveJob:
        job = LiveJob(JobId(f"job_{len(self.live)}"))
        self.live.append(job)
        return job

    @rule(job=jobs, amount=AMOUNTS)
    def hold(self, job: LiveJob, amount: Decimal) -> None:
        if job.cost is not None:
            return
        hold = HoldId(f"{job.id}:{len(job.holds)}")
        given = [ledger.hold(ACCOUNT, job.id, hold, amount) for ledger in self.ledgers]
        assert all(answer == given[0] for answer in given)
        if isinstance(given[0], Held):
            job.holds.append(hold)
            self.open[hold] = amount
        else:
            assert isinstance(given[0], Short)
            assert given[0].available < amount

    @rule(job=jobs, again=st.booleans(), less=st.booleans(), confirmed=st.booleans())
    def call(self, job: LiveJob, again: bool, less: bool, confirmed: bool) -> None:
        """The call lands. The network may round down; the answer may get lost and be repeated later."""
        waiting = [hold for hold in job.holds if hold in self.open]
        if not waiting or job.cost is not None:
            return
        hold = waiting[0]
        self.network.reserved[hold] = self.open.pop(hold) / (2 if less else 1)
        job.landed.append(hold)
        if confirmed:
            self.confirm(job, again)

    @rule(job=jobs, again=st.booleans())
    def confirm(self, job: LiveJob, again: bool) -> None:
        if job.closed:
            return
        for hold in job.landed if again else job.landed[-1:]:
            for ledger in self.ledgers:
                ledger.confirm(ACCOUNT, hold, self.network.reserved[hold])

    @rule(job=jobs)
    def void(self, job: LiveJob) -> None:
        """The network refuses the calls that have not landed."""
        for hold in [hold for hold in job.holds if hold in self.open]:
            del self.open[hold]
            for ledger in self.ledgers:
                ledger.void(ACCOUNT, hold)

    @rule(job=jobs, part=FRACTIONS)
    def end(self, job: LiveJob, part: Decimal) -> None:
        """The job is over; every answer has come in by then."""
        if job.cost is None and not job.closed:
            self.confirm(job, again=True)
            job.cost = part * sum((self.network.reserved[hold] for hold in job.landed), Decimal(0))

    @rule(job=jobs)
    def close_books(self, job: LiveJob) -> None:
        """The network gives back what was not used: before or after the dispatcher knows."""
        if job.cost is not None and not job.closed:
            job.closed = True
            self.network.close(job.landed, job.cost)

    @rule(job=jobs)
    def settle(self, job: LiveJob) -> None:
        if job.cost is None:
            return
        for hold in job.holds:
            self.open.pop(hold, None)
        if not job.settled:
            job.settled = True
            self.total_cost += job.cost
        for ledger in self.ledgers:
            ledger.settle(ACCOUNT, job.id, job.cost)

    # --- what must hold -----------------------------------------------------------------------------------

    def view(self) -> LedgerView:
        views = [ledger.view(ACCOUNT) for ledger in self.ledgers]
        assert all(view == views[0] for view in views)
        return views[0]

    @invariant()
    def nothing_is_promised_that_is_not_there(self) -> None:
        assert sum(self.open.values(), Decimal(0)) <= self.network.balance().available

    @invariant()
    def no_more_seems_available_than_there_is(self) -> None:
        available = self.view().available
        assert available is not None
        assert available <= self.network.balance().available - sum(self.open.values(), Decimal(0))

    @invariant()
    def sums_are_right(self) -> None:
        view = self.view()
        assert view.settled == self.total_cost
        assert view.unseen >= sum(self.open.values(), Decimal(0))
        if not any(job.holds and not job.settled for job in self.live):
            assert view.held == 0

    def teardown(self) -> None:
        """At rest the ledger and the network agree to the last cent."""
        if not hasattr(self, "live"):
            return
        for job in self.live:
            self.end(job, Decimal(1))
            self.close_books(job)
            self.settle(job)
        self.refresh()
        view = self.view()
        assert view.available == self.network.balance().available
        assert [view.unseen, view.held] == [0, 0]


def run(machine: type[Spending], examples: int, steps: int) -> None:
    chosen = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    run_state_machine_as_test(machine, settings=chosen)


def test_the_ledger_never_spends_what_is_not_there() -> None:
    run(Spending, 300, 40)


def test_the_ledger_on_redis_does_the_same(client: redis.Redis) -> None:
    run(type("SpendingBoth", (Spending,), {"client": client}), 40, 30)
