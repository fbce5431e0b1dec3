"""The two stores side by side: whatever is done, they answer alike."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import fakeredis
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.crashes import Crash
from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import FollowUp, Reason, State
from dispatcher.ports.store import Claim, Command, JobStore, Next
from dispatcher.store.memory import MemoryStore
from dispatcher.store.redis import RedisStore
from tests.store.records import T0, account, ended, job_id, new_job, short_of_credit

# Few jobs and few points in time, so that they meet.
NUMBERS = st.integers(0, 2)
SECONDS = st.sampled_from([0.0, 0.1, 1.0, 10.0])
REQUESTS = st.sampled_from([None, "r1", "r2"])
HAPPENINGS = st.sampled_from(["nothing", "short", "short", "network", "end"])
STEPS = st.one_of(
    st.tuples(st.just("add"), NUMBERS, REQUESTS, st.integers(-1, 1), SECONDS, st.sampled_from("ab")),
    st.tuples(st.just("claim"), NUMBERS, SECONDS),
    st.tuples(st.just("save"), NUMBERS, HAPPENINGS, SECONDS, st.integers(0, 2)),
    st.tuples(st.just("turn"), NUMBERS, HAPPENINGS, SECONDS, st.integers(0, 2), st.sampled_from(FollowUp)),
    st.tuples(st.just("release"), NUMBERS, HAPPENINGS, SECONDS, st.integers(0, 2), st.sampled_from(FollowUp)),
    st.tuples(st.just("command"), NUMBERS, st.sampled_from(["stop", "extend", "retry", "resolve"])),
    st.tuples(st.just("command_many"), st.lists(NUMBERS, max_size=3), st.sampled_from(["stop", "extend"])),
    st.tuples(st.just("take_due"), st.integers(0, 3), SECONDS.filter(bool)),
    st.tuples(st.just("wake"), st.lists(NUMBERS, max_size=2)),
    st.tuples(st.just("take_turn"), st.sampled_from("xy"), SECONDS, st.sampled_from([0.0, -0.1, 500.0])),
    st.tuples(st.just("pass_time"), SECONDS),
    st.tuples(st.just("crash"), NUMBERS, st.booleans(), SECONDS, st.integers(1, 3)),
    st.tuples(st.just("crash"), NUMBERS, st.booleans(), SECONDS, st.integers(1, 3)),
    st.tuples(st.just("revive"), NUMBERS),
    st.tuples(st.just("exhume"), NUMBERS, SECONDS),
)


class SideBySide:
    """Each step is done to both stores; the last claim of each job is kept, whether it still holds or not."""

    def __init__(self, *stores: JobStore) -> None:
        self.stores = stores
        self.now = T0
        self.claims: dict[int, Claim] = {}
        for number in range(2):
            self.add(number, f"r{number}", 0, 0.0, "a")

    def alike(self, ask: Callable[[JobStore], Any]) -> Any:
        def answer(store: JobStore) -> Any:
            try:
                return ask(store)
            except LeaseLost:
                return "lease lost"

        in_memory, on_redis = map(answer, self.stores)
        assert in_memory == on_redis
        return in_memory

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def add(self, number: int, request: str | None, priority: int, wait: float, name: str) -> None:
        fields: dict[str, Any] = {"request_id": request, "priority": priority, "account": name}
        fields["fingerprint"] = f"f{number % 2}"
        new = new_job(number, at=self.now, due_at=self.now + wait, **fields)
        self.alike(lambda store: store.add([new]))

    def claim(self, number: int, lease: float) -> None:
        claim = self.alike(lambda store: store.claim(job_id(number), now=self.now, lease=lease))
        if claim is not None:
            self.claims[number] = claim

    def save(self, number: int, how: str, lease: float, taken: int) -> None:
        claim = self.claims.get(number)
        if claim is None:
            return
        log, job, taken = self.happen(claim, how, taken)
        now, result = self.now, {"how": how} if how == "network" else None
        after = self.alike(
            lambda store: store.save(claim, job, log, now=now, lease=lease, taken=taken, result=result)
        )
        if after != "lease lost":
            self.claims[number] = after

    def release(self, number: int, how: str, wait: float, taken: int, follow_up: FollowUp) -> None:
        claim = self.claims.get(number)
        if claim is None:
            return
        log, job, taken = self.happen(claim, how, taken)
        due = None if job.state.is_final else Next(self.now + wait, follow_up)
        now, result = self.now, {"how": how} if how == "short" else None
        self.alike(
            lambda store: store.release(
                claim, job, log, now=now, due=due, retention=wait, taken=taken, result=result
            )
        )

    def turn(self, number: int, how: str, wait: float, taken: int, follow_up: FollowUp) -> None:
        self.claim(number, 1.0)
        self.release(number, how, wait, taken, follow_up)

    def crash(self, number: int, raised: bool, wait: float, at_most: int) -> None:
        self.claim(number, 1.0)
        claim = self.claims.get(number)
        if claim is None:
            return
        crash, now = Crash("a bug", "Traceback", raised=raised), self.now
        self.alike(
            lambda store: store.crashed(
                claim.job.id, claim.token, crash, now=now, retry_at=now + wait, at_most=at_most
            )
        )

    def revive(self, number: int) -> None:
        self.alike(lambda store: store.revive([job_id(number)], now=self.now))

    def exhume(self, number: int, lease: float) -> None:
        trouble = self.alike(lambda store: store.trouble(job_id(number)))
        job = self.alike(lambda store: store.load(job_id(number)))
        if trouble is None or job is None:
            return
        token = self.alike(lambda store: store.exhume(job.id, trouble.token, now=self.now, lease=lease))
        if token is not None:
            self.claims[number] = Claim(job, token, ())

    def happen(self, claim: Claim, how: str, taken: int) -> tuple[list[ev.Event], Any, int]:
        taken = min(taken, len(claim.commands))
        events: dict[str, ev.Event] = {
            "short": short_of_credit(self.now),
            "network": ev.Waited(at=self.now, reason=Reason.AWAITING_NETWORK),
            "end": ended(self.now),
        }
        if claim.job.state.is_final or how == "nothing":
            return [], claim.job, taken
        return [events[how]], apply(claim.job, events[how]), taken

    def command(self, number: int, kind: Any) -> None:
        command = Command(kind, "operator", self.now, 60)
        self.alike(lambda store: store.command(job_id(number), command, now=self.now))

    def command_many(self, numbers: list[int], kind: Any) -> None:
        command, ids = Command(kind, "operator", self.now, 60), [job_id(number) for number in numbers]
        self.alike(lambda store: store.command_many(ids, command, now=self.now))

    def take_due(self, limit: int, grace: float) -> None:
        self.alike(lambda store: store.take_due(now=self.now, limit=limit, grace=grace))

    def wake(self, numbers: list[int]) -> None:
        self.alike(lambda store: store.wake([job_id(number) for number in numbers], now=self.now))

    def take_turn(self, name: str, period: float, skew: float) -> None:
        self.alike(lambda store: store.take_turn(name, now=self.now + skew, period=period))

    def check(self) -> None:
        self.alike(lambda store: store.load_many([job_id(number) for number in range(3)]))
        self.alike(lambda store: [store.next_due(job_id(number)) for number in range(3)])
        self.alike(lambda store: store.earliest_due())
        self.alike(lambda store: [store.waiters(account(name), 3) for name in "ab"])
        self.alike(lambda store: [store.trouble(job_id(number)) for number in range(3)])
        self.alike(
            lambda store: (store.dead_letters(), store.count_dead(), store.dead_letters(limit=1, offset=1))
        )

    def check_all(self) -> None:
        ids = [job_id(number) for number in range(3)]
        self.alike(lambda store: [(store.events(each), store.result(each)) for each in ids])
        self.alike(lambda store: [store.find(request) for request in ("r0", "r1", "r2")])
        self.alike(lambda store: (store.counts(), store.waiting_lines(), store.listing()))
        self.alike(lambda store: [store.waiting_count(account(name)) for name in "ab"])
        self.alike(lambda store: [store.exposure(account(name)) for name in "ab"])
        self.alike(lambda store: (store.exposed_accounts(), store.reasons(), sorted(store.live_ids())))
        self.alike(lambda store: [store.due_count(now=self.now + later) for later in (-0.05, 0, 1)])
        for states in ([], [State.ENQUEUED], [State.REJECTED, State.RUNNING]):
            for limit, offset in itertools.product(range(3), range(3)):
                self.alike(partial(_listed, states=states, limit=limit, offset=offset))
        self.now += 100
        self.alike(lambda store: [store.claim(each, now=self.now, lease=1) for each in ids])


def _listed(store: JobStore, **choice: Any) -> list[Job]:
    return store.list_jobs(**choice)


def test_the_stores_answer_alike(client: redis.Redis) -> None:
    numbers = itertools.count()
    # The scripts are the same, and the server in this process is several times as slow with them.
    examples = 25 if isinstance(client, fakeredis.FakeRedis) else 80

    @given(steps=st.lists(STEPS, min_size=15, max_size=50))
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def both(steps: list[tuple[Any, ...]]) -> None:
        side_by_side = SideBySide(MemoryStore(), RedisStore(client, f"test{next(numbers)}"))
        for name, *arguments in steps:
            getattr(side_by_side, name)(*arguments)
            side_by_side.check()
        side_by_side.check_all()

    both()
