"""Many threads at once: in memory, and on a real server with a connection each."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TypeVar

import pytest

from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.ids import HoldId, JobId
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import FollowUp
from dispatcher.ports.ledger import Held, Ledger
from dispatcher.ports.provider import Balance
from dispatcher.ports.store import Command, JobStore, Next
from dispatcher.store.memory import MemoryLedger, MemoryStore
from dispatcher.store.redis import RedisLedger, RedisStore, connect
from tests.store.records import DAY, LEASE, T0, account, added, extend, job_id, new_job, short_of_credit

T = TypeVar("T")
THREADS = 16
Stores = tuple[JobStore, Ledger]


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    if request.param == "memory":
        yield MemoryStore(), MemoryLedger()
        return
    request.getfixturevalue("redis_client")
    with connect(request.getfixturevalue("redis_url")) as client:
        yield RedisStore(client, "test"), RedisLedger(client, "test")


def at_once(work: Callable[[int], T], threads: int = THREADS) -> list[T]:
    """What `work(0)` to `work(threads - 1)` answer; all start together, and a failure of one is the test's."""
    barrier = threading.Barrier(threads, timeout=30)
    answers: dict[int, T] = {}
    failures: list[Exception] = []

    def run(number: int) -> None:
        try:
            barrier.wait()
            answers[number] = work(number)
        except Exception as e:  # noqa: BLE001  # raised again below, in the test's own thread
            failures.append(e)

    running = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=60)
    if failures:
        raise failures[0]
    return [answers[number] for number in range(threads)]


def test_one_of_many_claims_wins(stores: Stores) -> None:
    store, _ = stores
    jobs = [added(store, number).id for number in range(30)]

    won = at_once(lambda _: [job for job in jobs if store.claim(job, now=T0, lease=LEASE) is not None])

    assert Counter(job for jobs_won in won for job in jobs_won) == Counter(jobs)


def test_one_of_many_equal_requests_is_stored(stores: Stores) -> None:
    store, _ = stores

    answers = at_once(lambda number: store.add([new_job(number, request_id="r")])[0])

    assert sum(answer.new for answer in answers) == 1
    assert len({answer.id for answer in answers}) == 1
    assert sum(store.counts().values()) == 1


def test_what_is_due_is_given_to_one_sweep(stores: Stores) -> None:
    store, _ = stores
    jobs = [new_job(number) for number in range(200)]
    store.add(jobs)

    def sweep(_: int) -> list[JobId]:
        taken: list[JobId] = []
        while due := store.take_due(now=T0, limit=7, grace=30):
            taken += [job.id for job in due]
        return taken

    swept = at_once(sweep)

    assert Counter(job for taken in swept for job in taken) == Counter(new.job.id for new in jobs)


def test_one_of_many_gets_the_turn(stores: Stores) -> None:
    store, _ = stores

    assert sum(at_once(lambda _: store.take_turn("balance", now=T0, period=10))) == 1


def test_holds_together_never_exceed_the_balance(stores: Stores) -> None:
    _, ledger = stores
    balance = Balance(Decimal("10.5"), Decimal(0), Decimal(0))
    ledger.put_balance(account(), ledger.marker(account()), balance, now=T0)

    def spend(number: int) -> list[Held]:
        job = JobId(f"job_{number}")
        tried = [
            ledger.hold(account(), job, HoldId(f"{job}:{nth}"), Decimal("0.25"), now=T0) for nth in range(20)
        ]
        return [answer for answer in tried if isinstance(answer, Held)]

    held = [answer for answers in at_once(spend) for answer in answers]

    assert sum(answer.amount for answer in held) == Decimal("10.5")
    assert ledger.view(account()).available == 0


def test_one_hold_is_made_of_many_equal_ones(stores: Stores) -> None:
    _, ledger = stores
    balance = Balance(Decimal(10), Decimal(0), Decimal(0))
    ledger.put_balance(account(), ledger.marker(account()), balance, now=T0)
    job, hold = JobId("job_1"), HoldId("job_1:post:1")

    assert (
        at_once(lambda _: ledger.hold(account(), job, hold, Decimal(4), now=T0))
        == [Held(Decimal(4))] * THREADS
    )
    at_once(lambda _: ledger.confirm(account(), hold, Decimal(4)))
    at_once(lambda _: ledger.settle(account(), job, Decimal(3)))

    view = ledger.view(account())
    assert [view.unseen, view.held, view.settled] == [4, 0, 3]


def test_money_that_comes_and_goes_adds_up(stores: Stores) -> None:
    """Every thread holds, confirms, voids, settles and refreshes; in the end the books are empty."""
    _, ledger = stores
    balance = Balance(Decimal(1000), Decimal(0), Decimal(0))
    ledger.put_balance(account(), ledger.marker(account()), balance, now=T0)

    def live(number: int) -> None:
        for nth in range(10):
            job = JobId(f"job_{number}_{nth}")
            for call in range(3):
                hold = HoldId(f"{job}:{call}")
                assert isinstance(ledger.hold(account(), job, hold, Decimal("1.1"), now=T0), Held)
                if (nth + call) % 3 == 0:
                    ledger.void(account(), hold)
                else:
                    ledger.confirm(account(), hold, Decimal("1.1"))
            ledger.put_balance(account(), ledger.marker(account()), balance, now=T0)
            ledger.settle(account(), job, Decimal("0.7"))

    at_once(live)
    ledger.put_balance(account(), ledger.marker(account()), balance, now=T0)

    view = ledger.view(account())
    assert [view.unseen, view.held] == [0, 0]
    assert view.settled == THREADS * 10 * Decimal("0.7")
    assert view.available == 1000


def test_only_the_holder_of_the_lease_writes(stores: Stores) -> None:
    """Leases are short and threads' clocks apart, so that leases are lost all the time: every event that was saved is
    in the log once, and none that was refused."""
    store, _ = stores
    added(store)

    def work(number: int) -> list[float]:
        saved: list[float] = []
        for nth in range(30):
            now = T0 + nth + number / 100
            claim = store.claim(job_id(1), now=now, lease=0.05)
            if claim is None:
                continue
            event = short_of_credit(now)
            job = apply(claim.job, event)
            try:
                if nth % 2:
                    store.save(claim, job, [event], now=now, lease=0.05)
                else:
                    due = Next(now, FollowUp.DISPATCH)
                    store.release(claim, job, [event], now=now, due=due, retention=DAY)
            except LeaseLost:
                continue
            saved.append(now)
        return saved

    saved = [now for of_thread in at_once(work) for now in of_thread]

    log = store.events(job_id(1), 1)
    assert sorted(event.at for event in log) == sorted(saved)
    job = store.load(job_id(1))
    assert job is not None
    assert job.version == 1 + len(saved)
    assert job.updated_at == log[-1].at


def test_no_command_is_lost_between_operators_and_workers(stores: Stores) -> None:
    store, _ = stores
    added(store)
    operators, commands_each = 3, 20
    told = threading.Semaphore(0)
    taken: list[Command] = []

    def command(number: int) -> None:
        for nth in range(commands_each):
            assert store.command(job_id(1), extend(1000 * number + nth), now=T0)
            told.release()

    def work(_: int) -> None:
        later = Next(T0 + 500, FollowUp.POLL)
        while len(taken) < operators * commands_each:
            assert told.acquire(timeout=30)
            while True:  # while the job is due: as a sweep and a worker do
                due = store.next_due(job_id(1))
                assert due is not None
                if due.at > T0:
                    break
                claim = store.claim(job_id(1), now=T0, lease=LEASE)
                assert claim is not None
                taken.extend(claim.commands)
                number = len(claim.commands)
                store.release(claim, claim.job, [], now=T0, due=later, retention=DAY, taken=number)

    at_once(lambda number: command(number) if number < operators else work(number), operators + 1)

    expected = {extend(1000 * number + nth) for number in range(operators) for nth in range(commands_each)}
    assert len(taken) == len(expected)
    assert set(taken) == expected
    for number in range(operators):
        own = [each.seconds for each in taken if each.seconds // 1000 == number]
        assert own == sorted(own)
