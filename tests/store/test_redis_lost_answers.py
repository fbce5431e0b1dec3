"""The way back from the server breaks: redis-py asks again by itself, and nothing may happen twice."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import redis

from dispatcher.domain.budget import Budget, Scope, Window
from dispatcher.domain.crashes import Crash, Trouble
from dispatcher.domain.ids import HoldId, JobId, LeaseToken
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.schedules.state import begun, paused
from dispatcher.domain.traffic import Change, Limits, Outcome, Urgency
from dispatcher.domain.words import FollowUp, State
from dispatcher.ports.ledger import Audit, Frozen, Held
from dispatcher.ports.mending import Damage
from dispatcher.ports.provider import Balance
from dispatcher.ports.store import Added, Next
from dispatcher.ports.traffic import Admitted, Lane
from dispatcher.store.redis import RedisLedger, RedisSchedules, RedisStore, RedisTraffic, connect
from tests.domain.test_schedule_form import schedule
from tests.store.records import (
    DAY,
    LEASE,
    T0,
    account,
    added,
    claimed,
    ended,
    extend,
    job_id,
    new_job,
    short_of_credit,
    stop,
)

LATER = Next(T0 + 500, FollowUp.POLL)
BUG = Crash("ValueError: x", "Traceback")


def kill(store: RedisStore, job: JobId) -> Trouble:
    """The job is a dead letter."""
    token = claimed(store, job).token
    trouble = store.crashed(job, token, BUG, now=T0, retry_at=T0, at_most=1)
    assert trouble is not None
    return trouble


Connection: Any = redis.Connection


class Lossy(Connection):  # type: ignore[misc]  # its methods have no types
    """A connection that breaks after a script was sent and done, before its answer is passed on."""

    lose = False
    lost = 0
    _script_sent = False

    def send_command(self, *args: Any, **options: Any) -> Any:
        self._script_sent = args[0] == "EVALSHA"
        return super().send_command(*args, **options)

    def pack_commands(self, commands: Any) -> Any:  # a pipeline's
        commands = list(commands)
        self._script_sent = any(command[0] == "EVALSHA" for command in commands)
        return super().pack_commands(commands)

    def read_response(self, *args: Any, **options: Any) -> Any:
        answer = super().read_response(*args, **options)
        if Lossy.lose and self._script_sent:
            Lossy.lose, Lossy.lost = False, Lossy.lost + 1
            self.disconnect()
            raise redis.ConnectionError("the answer is lost")
        return answer


@pytest.fixture
def lossy(redis_url: str, redis_client: redis.Redis) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Calls something so that the first script's answer gets lost, and sees that it did."""
    Lossy.lose = False

    def losing(call: Callable[[], Any]) -> Any:
        before = Lossy.lost
        Lossy.lose = True
        answer = call()
        assert Lossy.lost == before + 1
        return answer

    yield losing
    Lossy.lose = False


@pytest.fixture
def lossy_client(redis_url: str, redis_client: redis.Redis) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        client.connection_pool.connection_class = Lossy
        client.ping()
        RedisStore(client, "warm").take_due(now=T0, limit=1, grace=1)
        yield client


@pytest.mark.redis
class TestLostAnswers:
    @pytest.fixture
    def store(self, lossy_client: redis.Redis) -> RedisStore:
        return RedisStore(lossy_client, "test")

    @pytest.fixture
    def ledger(self, lossy_client: redis.Redis) -> RedisLedger:
        ledger = RedisLedger(lossy_client, "test")
        balance = Balance(Decimal(10), Decimal(0), Decimal(0))
        ledger.put_balance(account(), ledger.marker(account()), balance, now=T0)
        return ledger

    def test_add(self, store: RedisStore, lossy: Callable[[Any], Any]) -> None:
        jobs = [new_job(1, request_id="r"), new_job(2)]
        store.add([new_job(3)])

        answers = lossy(lambda: store.add(jobs))

        assert answers == [Added(job_id(1), new=True), Added(job_id(2), new=True)]
        assert store.events(job_id(1)) == [jobs[0].enqueued]

    def test_command_many(self, store: RedisStore, lossy: Callable[[Any], Any]) -> None:
        jobs = [added(store, number).id for number in range(1, 4)]

        assert lossy(lambda: store.command_many(jobs, extend(), now=T0)) == 3

        assert [claimed(store, job).commands for job in jobs] == [(extend(),)] * 3

    def test_claim(self, store: RedisStore, lossy: Callable[[Any], Any]) -> None:
        job = added(store)
        claimed(store, job.id, T0 - LEASE)

        claim = lossy(lambda: store.claim(job.id, now=T0, lease=LEASE))

        assert claim is not None
        store.save(claim, job, [], now=T0, lease=LEASE)
        assert store.claim(job.id, now=T0, lease=LEASE) is None

    def test_save(self, store: RedisStore, lossy: Callable[[Any], Any]) -> None:
        job = added(store)
        event = short_of_credit(T0)
        for seconds in (1, 2):
            store.command(job.id, extend(seconds), now=T0)
        claim = claimed(store, job.id)
        changed = apply(job, event)
        store.save(claim, job, [], now=T0, lease=LEASE)

        after = lossy(lambda: store.save(claim, changed, [event], now=T0, lease=LEASE, taken=1))

        assert after.commands == (extend(2),)
        assert store.events(job.id, 1) == [event]
        assert store.load(job.id) == changed

    @pytest.mark.parametrize("commands", [0, 1, 2])
    def test_release(self, store: RedisStore, lossy: Callable[[Any], Any], commands: int) -> None:
        job = added(store)
        event = short_of_credit(T0)
        for seconds in range(commands):
            store.command(job.id, extend(seconds), now=T0)
        claim = claimed(store, job.id)
        other = added(store, 2)
        store.release(claimed(store, other.id), other, [], now=T0, due=LATER, retention=DAY)

        answer = lossy(
            lambda: store.release(
                claim, apply(job, event), [event], now=T0, due=LATER, retention=DAY, taken=1
            )
        )

        assert answer == (commands < 2)
        assert store.events(job.id, 1) == [event]
        assert store.next_due(job.id) == (LATER if commands < 2 else Next(T0, FollowUp.EXTEND))
        assert claimed(store, job.id).commands == ((extend(1),) if commands == 2 else ())

    def test_release_of_a_job_that_is_over(self, store: RedisStore, lossy: Callable[[Any], Any]) -> None:
        job = added(store)
        claim = claimed(store, job.id)
        other = added(store, 2)
        store.release(claimed(store, other.id), other, [], now=T0, due=LATER, retention=DAY)
        over = apply(job, ended(T0))

        assert lossy(lambda: store.release(claim, over, [ended(T0)], now=T0, due=None, retention=DAY))

        assert store.load(job.id) == over

    def test_command(self, store: RedisStore, lossy: Callable[[Any], Any]) -> None:
        job = added(store)
        store.command(job.id, extend(1), now=T0)

        assert lossy(lambda: store.command(job.id, extend(1), now=T0))

        assert claimed(store, job.id).commands == (extend(1), extend(1))

    @pytest.mark.parametrize("at_most", [2, 3])
    def test_crashes(self, store: RedisStore, lossy: Callable[[Any], Any], at_most: int) -> None:
        job = added(store)
        first = claimed(store, job.id)
        store.crashed(job.id, first.token, BUG, now=T0, retry_at=T0, at_most=9)
        claim = claimed(store, job.id)

        trouble = lossy(
            lambda: store.crashed(job.id, claim.token, BUG, now=T0, retry_at=T0 + 4, at_most=at_most)
        )

        assert (trouble.crashes, trouble.dead) == (2, at_most == 2)
        assert store.trouble(job.id) == trouble
        assert trouble.retry_at == (None if at_most == 2 else T0 + 4)

    def test_dead_letters(self, store: RedisStore, lossy: Callable[[Any], Any]) -> None:
        other = added(store, 2)
        kill(store, other.id)
        store.revive([other.id], now=T0)
        again = kill(store, other.id)
        store.discard(other.id, again.token, now=T0, retention=DAY)
        store.exhume(other.id, LeaseToken(99), now=T0, lease=LEASE)
        job = added(store)
        kill(store, job.id)

        assert lossy(lambda: store.revive([job.id], now=T0)) == [job.id]
        letter = kill(store, job.id)
        token = lossy(lambda: store.exhume(job.id, letter.token, now=T0, lease=LEASE))
        assert token == letter.token + 1
        assert lossy(lambda: store.discard(job.id, token, now=T0, retention=DAY))
        assert store.counts()[State.FAILED] == 1

    def test_a_stop_that_revives(self, store: RedisStore, lossy: Callable[[Any], Any]) -> None:
        job = added(store)
        store.command(job.id, extend(1), now=T0)
        kill(store, job.id)

        assert lossy(lambda: store.command(job.id, stop(), now=T0))

        assert claimed(store, job.id).commands == (extend(1), stop())

    def test_mend(self, store: RedisStore, redis_client: redis.Redis, lossy: Callable[[Any], Any]) -> None:
        job, ghost = added(store), job_id(9)
        store.mend([job.id], now=T0, grace=10)
        redis_client.zrem("test:agenda", job.id)
        redis_client.zadd("test:agenda", {ghost: T0})

        found = lossy(lambda: store.mend([job.id, ghost], now=T0, grace=10))

        assert [each.damages for each in found] == [(Damage.NOT_ON_AGENDA,), (Damage.GONE,)]
        assert len(claimed(store, job.id).commands) == 1
        assert [each.damages for each in store.mend([job.id, ghost], now=T0, grace=10)] == [(), ()]

    def test_ledger(self, ledger: RedisLedger, lossy: Callable[[Any], Any]) -> None:
        job, hold, other = JobId("job"), HoldId("hold"), HoldId("other")
        for name in (hold, other):
            ledger.hold(account(), JobId("warm"), HoldId(f"warm-{name}"), Decimal(0), now=T0)
        ledger.settle(account(), JobId("warm"), Decimal(0))
        ledger.confirm(account(), HoldId("unknown"), Decimal(0))
        ledger.void(account(), HoldId("unknown"))

        assert lossy(lambda: ledger.hold(account(), job, hold, Decimal(6), now=T0)) == Held(Decimal(6))
        assert ledger.hold(account(), job, other, Decimal(3), now=T0) == Held(Decimal(3))
        lossy(lambda: ledger.void(account(), other))
        assert ledger.view(account()).available == 4
        lossy(lambda: ledger.confirm(account(), hold, Decimal(5)))
        assert ledger.view(account()).held == 5
        lossy(lambda: ledger.settle(account(), job, Decimal(2)))
        assert ledger.view(account()).settled == 2
        balance = Balance(Decimal(10), Decimal(0), Decimal(2))
        marker = ledger.marker(account())
        assert lossy(lambda: ledger.put_balance(account(), marker, balance, now=T0))
        assert ledger.view(account()).available == 8

    def test_ledger_between_attempts(self, ledger: RedisLedger, lossy: Callable[[Any], Any]) -> None:
        job, first, second, kept = JobId("job"), HoldId("first"), HoldId("second"), HoldId("kept")
        ledger.settle_attempt(account(), JobId("warm"), 1, Decimal(0))
        ledger.hold(account(), job, first, Decimal(6), now=T0)

        lossy(lambda: ledger.settle_attempt(account(), job, 1, Decimal(2), keep=(kept, Decimal(3))))
        view = ledger.view(account())
        assert (view.held, view.settled) == (3, 2)
        held = lossy(lambda: ledger.hold(account(), job, second, Decimal(4), now=T0, takes=kept))
        assert held == Held(Decimal(4))
        assert ledger.view(account()).held == 4

    def test_spending(self, ledger: RedisLedger, lossy: Callable[[Any], Any]) -> None:
        scope, audit = Scope("label:a"), Audit(T0, *[Decimal(0)] * 3, "", 0, Decimal(0))
        budget = Budget(scope, Window.TOTAL, Decimal(5))
        ledger.set_budget(Budget(scope, Window.DAY, Decimal(5)), now=T0)
        ledger.remove_budget(scope, Window.DAY)
        ledger.freeze(account("other"), "", by="me", now=T0)
        ledger.keep_audit(account("other"), audit, replaces=None)
        ledger.hold(account(), JobId("warm"), HoldId("warm"), Decimal(0), now=T0)

        lossy(lambda: ledger.set_budget(budget, now=T0))
        job, hold = JobId("job"), HoldId("hold")
        held = lossy(lambda: ledger.hold(account(), job, hold, Decimal(3), now=T0, scopes=[scope]))
        assert held == Held(Decimal(3))
        assert [(use.used, use.held) for use in ledger.budgets(now=T0)] == [(3, 3)]
        lossy(lambda: ledger.settle(account(), job, Decimal(2)))
        assert [(use.used, use.held) for use in ledger.budgets(now=T0)] == [(2, 0)]
        lossy(lambda: ledger.remove_budget(scope, Window.TOTAL))
        assert ledger.budgets(now=T0) == []
        lossy(lambda: ledger.freeze(account(), "why", by="me", now=T0))
        assert ledger.view(account()).frozen == Frozen(T0, "why", "me")
        assert lossy(lambda: ledger.keep_audit(account(), audit, replaces=None))


@pytest.mark.redis
def test_lost_answers_of_schedules(lossy_client: redis.Redis, lossy: Callable[[Any], Any]) -> None:
    """A change is made once, and whoever made it learns that it was."""
    store = RedisSchedules(lossy_client, "test")
    made = schedule()
    state = begun(made, T0)
    warm = store.create(schedule(name="warm"), state, source="store", wakes_at=None)
    assert warm is not None
    store.remove("warm")

    kept = lossy(lambda: store.create(made, state, source="store", wakes_at=T0))
    assert kept is not None
    assert store.get("nightly") == kept
    saved = lossy(lambda: store.save(kept, paused(state), wakes_at=None))
    assert saved is not None
    assert store.get("nightly") == saved
    assert saved.version == kept.version + 1
    lossy(lambda: store.remove("nightly"))
    assert store.names() == []


@pytest.mark.redis
class TestLostAnswersOfTraffic:
    """A call counts once, however often its answer is lost."""

    LANE, LIMITS = Lane(account(), "api.test"), Limits.of(10)

    @pytest.fixture
    def traffic(self, lossy_client: redis.Redis) -> RedisTraffic:
        traffic = RedisTraffic(lossy_client, "test")
        self.tell(traffic, Outcome.ANSWERED)
        return traffic

    def ask(self, traffic: RedisTraffic, at: float = T0) -> Admitted:
        admitted = traffic.admit(self.LANE, urgency=Urgency.LOOK, now=at, limits=self.LIMITS)
        assert isinstance(admitted, Admitted)
        return admitted

    def tell(self, traffic: RedisTraffic, outcome: Outcome) -> frozenset[Change]:
        return traffic.answered(self.LANE, self.ask(traffic), outcome, now=T0, limits=self.LIMITS)

    def test_failures(self, traffic: RedisTraffic, lossy: Callable[[Any], Any]) -> None:
        for _ in range(7):
            admitted = self.ask(traffic)
            lossy(
                lambda given=admitted: traffic.answered(
                    self.LANE, given, Outcome.FAILED, now=T0, limits=self.LIMITS
                )
            )
        assert traffic.view(self.LANE, now=T0, limits=self.LIMITS).failures == 7
        admitted = self.ask(traffic)
        opened = lossy(
            lambda: traffic.answered(self.LANE, admitted, Outcome.FAILED, now=T0, limits=self.LIMITS)
        )
        assert opened == {Change.OPENED}
        trial = lossy(lambda: self.ask(traffic, T0 + 5))
        assert trial.trial  # it stays the trial that it was when its first answer got lost
        tried = lossy(
            lambda: traffic.answered(self.LANE, trial, Outcome.ANSWERED, now=T0 + 5, limits=self.LIMITS)
        )
        assert tried == {Change.CLOSED}

    def test_pauses(self, traffic: RedisTraffic, lossy: Callable[[Any], Any]) -> None:
        admitted = self.ask(traffic)
        paused = lossy(
            lambda: traffic.answered(self.LANE, admitted, Outcome.LIMITED, now=T0, limits=self.LIMITS)
        )
        assert paused == {Change.PAUSED}
        assert traffic.view(self.LANE, now=T0, limits=self.LIMITS).paused_until == T0 + 1
