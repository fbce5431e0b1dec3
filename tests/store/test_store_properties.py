"""The two stores side by side: whatever is done, they answer alike."""

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dispatcher.domain import events as ev
from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import FollowUp, Reason, State
from dispatcher.domain.lifecycle import apply
from dispatcher.ports.store import Claim, Command, JobStore, Next
from dispatcher.store.memory import MemoryStore
from dispatcher.store.redis import RedisStore
from tests.store.records import T0, account, ended, job_id, new_job, short_of_credit

NUMBERS = st.integers(0, 4)
SECONDS = st.sampled_from([0.0, 0.1, 1.0, 10.0, 60.0, 100.0])
REQUESTS = st.sampled_from([None, "r1", "r2"])


class SideBySide(RuleBasedStateMachine):
    """Few jobs and few points in time, so that they meet."""

    client: ClassVar[redis.Redis]
    numbers = itertools.count()

    @initialize()
    def begin(self) -> None:
        self.stores: list[JobStore] = [MemoryStore(), RedisStore(self.client, f"test{next(self.numbers)}")]
        self.now = T0
        self.claims: list[Claim] = []

    def alike(self, ask: Callable[[JobStore], Any]) -> Any:
        def answer(store: JobStore) -> Any:
            try:
                return ask(store)
            except LeaseLost:
                return "lease lost"

        in_memory, on_redis = map(answer, self.stores)
        assert in_memory == on_redis
        return in_memory

    @rule(seconds=SECONDS)
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        number=NUMBERS,
        request=REQUESTS,
        priority=st.integers(-1, 1),
        wait=SECONDS,
        name=st.sampled_from("ab"),
    )
    def add(self, number: int, request: str | None, priority: int, wait: float, name: str) -> None:
        fields: dict[str, Any] = {
            "request_id": request,
            "priority": priority,
            "account": name,
            "fingerprint": f"f{number % 2}",
        }
        new = new_job(number, at=self.now, due_at=self.now + wait, **fields)
        self.alike(lambda store: store.add([new]))

    @rule(number=NUMBERS, lease=SECONDS)
    def claim(self, number: int, lease: float) -> None:
        claim = self.alike(lambda store: store.claim(job_id(number), now=self.now, lease=lease))
        if claim is not None:
            self.claims.append(claim)

    @rule(data=st.data(), how=st.sampled_from(["none", "short", "other", "end"]), lease=SECONDS, wait=SECONDS)
    def write(self, data: st.DataObject, how: str, lease: float, wait: float) -> None:
        if not self.claims:
            return
        index = data.draw(st.integers(0, len(self.claims) - 1))
        taken = data.draw(st.integers(0, len(self.claims[index].commands)))
        claim = self.claims[index]
        log: list[ev.Event] = [] if claim.job.state.is_final else self.happening(how)
        job = apply(claim.job, log[0]) if log else claim.job
        result = {"now": self.now} if how == "other" else None
        if data.draw(st.booleans()):
            after = self.alike(
                lambda store: store.save(
                    claim, job, log, now=self.now, lease=lease, taken=taken, result=result
                )
            )
            if after != "lease lost":
                self.claims[index] = after
            return
        due = None if job.state.is_final else Next(self.now + wait, data.draw(st.sampled_from(FollowUp)))
        self.alike(
            lambda store: store.release(
                claim, job, log, now=self.now, due=due, retention=lease, taken=taken, result=result
            )
        )

    def happening(self, how: str) -> list[ev.Event]:
        match how:
            case "short":
                return [short_of_credit(self.now)]
            case "other":
                return [ev.Waited(at=self.now, reason=Reason.AWAITING_NETWORK)]
            case "end":
                return [ended(self.now)]
            case _:
                return []

    @rule(number=NUMBERS, kind=st.sampled_from(["stop", "extend", "retry"]), seconds=st.integers(1, 3))
    def command(self, number: int, kind: Any, seconds: int) -> None:
        command = Command(kind, "operator", self.now, seconds if kind == "extend" else 0)
        self.alike(lambda store: store.command(job_id(number), command, now=self.now))

    @rule(limit=st.integers(0, 3), grace=SECONDS.filter(bool))
    def take_due(self, limit: int, grace: float) -> None:
        self.alike(lambda store: store.take_due(now=self.now, limit=limit, grace=grace))

    @rule(numbers=st.lists(NUMBERS, max_size=3))
    def wake(self, numbers: list[int]) -> None:
        self.alike(lambda store: store.wake([job_id(number) for number in numbers], now=self.now))

    @rule(name=st.sampled_from("xy"), period=SECONDS, skew=st.sampled_from([0.0, -0.1, 500.0]))
    def take_turn(self, name: str, period: float, skew: float) -> None:
        self.alike(lambda store: store.take_turn(name, now=self.now + skew, period=period))

    @rule(
        states=st.lists(st.sampled_from([State.ENQUEUED, State.REJECTED, State.RUNNING]), max_size=3),
        limit=st.integers(0, 3),
        offset=st.integers(0, 3),
    )
    def list_jobs(self, states: list[State], limit: int, offset: int) -> None:
        self.alike(lambda store: store.list_jobs(states=states, limit=limit, offset=offset))

    @invariant()
    def everything_is_alike(self) -> None:
        ids: list[JobId] = [job_id(number) for number in range(5)]
        self.alike(lambda store: store.load_many(ids))
        self.alike(lambda store: [store.next_due(each) for each in ids])
        self.alike(lambda store: [store.events(each) for each in ids])
        self.alike(lambda store: [store.result(each) for each in ids])
        self.alike(lambda store: [store.find(request) for request in ("r1", "r2")])
        self.alike(lambda store: store.counts())
        self.alike(lambda store: store.earliest_due())
        self.alike(lambda store: store.waiting_accounts())
        self.alike(lambda store: [store.waiters(account(name), 3) for name in "ab"])


def test_the_stores_answer_alike(client: redis.Redis) -> None:
    machine = type("Run", (SideBySide,), {"client": client})
    chosen = settings(max_examples=30, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(machine, settings=chosen)
