"""Dropping dead letters, and records that cannot be read."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import fakeredis
import pytest
import redis

from dispatcher.domain.errors import NotPossible, UnknownJob, UnreadableRecord
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.request import JobRequest
from dispatcher.domain.words import Reason, State
from dispatcher.engine import dead, intake
from dispatcher.engine.advance import advance
from dispatcher.ops.scrub import Scrubber
from dispatcher.store.redis import RedisLedger, RedisStore
from tests.engine.audit import audit, remotes
from tests.engine.test_poison import Poison, is_dead, run_on, sends
from tests.world import MARKET, World, definition

DEFAULT = AccountName("default")
KEY = "nos_abcdefghij0123456789"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def poison(world: World, monkeypatch: pytest.MonkeyPatch) -> Poison:
    return Poison(world, monkeypatch)


def killed(world: World, poison: Poison, job_id: JobId) -> JobId:
    """It is a dead letter where it is."""
    poison.put(job_id, lambda job, action: True, times=10**6)
    run_on(world)
    assert is_dead(world, job_id)
    poison.left = 0
    return job_id


def test_a_job_that_never_reached_the_network_is_dropped_for_nothing(world: World, poison: Poison) -> None:
    job_id = world.enqueue(request_id="r")
    poison.put(job_id, sends("post"), times=0)
    poison.put(job_id, lambda job, action: job.quote is not None, times=10**6)
    run_on(world)
    assert world.parts.ledger.view(DEFAULT).held > 0

    job = dead.drop(world.parts, job_id, by="tester")

    assert job is not None
    assert (job.state, job.reason, job.spend.settled) == (State.FAILED, Reason.DROPPED, 0)
    assert world.job(job_id) == job
    assert world.recorder.seen[-1][0] == job
    assert world.kinds(job_id)[-1] == "ended"
    assert world.parts.store.trouble(job_id) is None
    audit(world)


def test_the_same_request_does_not_come_back_until_the_job_is_forgotten(world: World, poison: Poison) -> None:
    job_id = killed(world, poison, world.enqueue(request_id="r"))
    dead.drop(world.parts, job_id, by="tester")
    asked = JobRequest(definition=definition(), market=MARKET, timeout="10m", request_id="r")
    added = intake.enqueue(world.parts, [asked])[0]
    assert (added.id, added.new) == (job_id, False)
    world.work()
    assert world.network.jobs == {}
    world.clock.move(world.parts.timing.retention)
    world.work()
    assert world.parts.store.load(job_id) is None
    assert intake.enqueue(world.parts, [asked])[0].new


def test_a_post_that_may_have_landed_is_not_dropped_unnoticed(world: World, poison: Poison) -> None:
    job_id = world.enqueue()
    poison.put(job_id, sends("post"), times=10**6, after=True)
    run_on(world)
    assert world.job(job_id).state is State.POSTING

    with pytest.raises(NotPossible, match=r"post may have landed .* up to 10m.*\$0\.008.*--running"):
        dead.drop(world.parts, job_id, by="tester")
    assert is_dead(world, job_id)

    job = dead.drop(world.parts, job_id, by="tester", running=True)
    assert job is not None
    assert job.spend.settled == Decimal("0.008")
    assert "may have landed" in (job.ending.detail if job.ending else "")
    view = world.parts.ledger.view(DEFAULT)
    assert (view.held, view.settled) == (0, Decimal("0.008"))
    assert view.available is not None
    assert view.available <= 100 - Decimal("0.008")


def test_a_running_job_is_not_dropped_unnoticed(world: World, poison: Poison) -> None:
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h")
    world.run_for(120)
    killed(world, poison, job_id)
    remote = world.job(job_id).remote
    assert remote is not None

    with pytest.raises(NotPossible) as caught:
        dead.drop(world.parts, job_id, by="tester")
    for words in (
        remote.address,
        "until 2027-01-15T09:00",
        "$0.048",
        "--running",
        f"dispatcher stop {job_id}",
    ):
        assert words in str(caught.value)

    job = dead.drop(world.parts, job_id, by="tester", running=True)
    assert job is not None
    assert job.spend.settled == job.spend.posted == Decimal("0.048")
    world.run()
    assert len(remotes(world, job_id)) == 1
    assert world.parts.store.next_due(job_id) is None


@pytest.mark.parametrize("running", [False, True])
def test_only_dead_letters_are_dropped(world: World, running: bool) -> None:
    job_id = world.enqueue()
    with pytest.raises(NotPossible, match="no dead letter"):
        dead.drop(world.parts, job_id, by="tester", running=running)
    with pytest.raises(UnknownJob):
        dead.drop(world.parts, JobId("job_x"), by="tester", running=running)
    world.run()
    audit(world)


def test_a_stop_that_comes_first_wins_over_the_drop(
    world: World, poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = killed(world, poison, world.enqueue())
    plain = dead.known

    def meanwhile(*args: Any) -> Any:
        world.stop(job_id)
        return plain(*args)

    monkeypatch.setattr(dead, "known", meanwhile)
    with pytest.raises(NotPossible, match="meanwhile"):
        dead.drop(world.parts, job_id, by="tester")
    world.run()
    assert world.job(job_id).reason is Reason.OPERATOR
    audit(world)


@pytest.mark.parametrize("call", ["save", "settle", "release"])
def test_whoever_dies_while_dropping_leaves_nothing_held(
    world: World, poison: Poison, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    class Killed(BaseException):
        pass

    def kills(*_: Any, **__: Any) -> Any:
        raise Killed

    job_id = killed(world, poison, world.enqueue())
    port = type(world.parts.ledger if call == "settle" else world.parts.store)
    with monkeypatch.context() as patch:
        patch.setattr(port, call, kills)
        with pytest.raises(Killed):
            dead.drop(world.parts, job_id, by="tester")
    world.run()
    assert world.job(job_id).state.is_final
    audit(world)


def test_all_dead_letters_are_tried_again(world: World, poison: Poison) -> None:
    ids = [killed(world, poison, world.enqueue(definition(str(number)))) for number in range(3)]
    alive = world.enqueue(definition("alive"))
    assert sorted(dead.retry_all(world.parts)) == sorted(ids)
    assert dead.retry_all(world.parts) == []
    assert dead.retry(world.parts, [alive]) == []
    world.run()
    audit(world)


def test_no_secret_is_kept_of_an_error(world: World, poison: Poison) -> None:
    world.parts = replace(world.parts, scrub=Scrubber(["top-canary-secret"]).text)
    job_id = killed(world, poison, world.enqueue())
    letter = world.parts.store.trouble(job_id)
    assert letter is not None
    assert KEY not in letter.reason + letter.traceback
    assert "***" in letter.reason
    assert "***" in letter.traceback


# --- records that cannot be read --------------------------------------------------------------------------


@pytest.fixture
def client() -> Iterator[redis.Redis]:
    with fakeredis.FakeRedis(server=fakeredis.FakeServer()) as fake:
        yield fake


@pytest.fixture
def on_redis(world: World, client: redis.Redis) -> World:
    world.parts = replace(world.parts, store=RedisStore(client, "test"), ledger=RedisLedger(client, "test"))
    return world


def damage(client: redis.Redis, job_id: JobId) -> bytes:
    """The record cannot be read any more; the answer is what it was."""
    before: Any = client.hget(f"test:job:{job_id}", "job")
    client.hset(f"test:job:{job_id}", "job", before[:-7])
    return bytes(before)


def run_through_damage(world: World) -> None:
    while True:
        try:
            world.run()
        except UnreadableRecord:
            continue
        return


def test_a_record_that_cannot_be_read_breaks_no_other_and_is_put_aside(
    on_redis: World, client: redis.Redis
) -> None:
    world = on_redis
    job_id = world.enqueue(definition(runs_for="3h"), timeout="4h")
    healthy = world.enqueue(definition(runs_for="1h"), timeout="2h")
    world.run_for(120)
    whole = damage(client, job_id)

    run_through_damage(world)

    assert world.job(healthy).state is State.COMPLETED
    letter = world.parts.store.trouble(job_id)
    assert letter is not None
    assert (letter.dead, letter.crashes) == (True, 5)
    assert "cannot be read" in letter.reason
    assert [listed.job is None for listed in world.parts.store.listing()].count(True) == 1
    with pytest.raises(NotPossible, match=r"is noted, but not sent.*only the network"):
        world.stop(job_id)
    run_through_damage(world)
    assert is_dead(world, job_id)

    client.hset(f"test:job:{job_id}", "job", whole)
    dead.retry(world.parts, [job_id])
    world.run()
    assert world.job(job_id).reason is Reason.OPERATOR
    audit(world)


def test_what_cannot_be_read_is_dropped_by_the_word_of_its_log(on_redis: World, client: redis.Redis) -> None:
    world = on_redis
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h", request_id="r")
    world.run_for(120)
    remote = world.job(job_id).remote
    assert remote is not None
    damage(client, job_id)
    run_through_damage(world)

    with pytest.raises(NotPossible, match=f"{remote.address}: it runs until 2027-01-15T09:00"):
        dead.drop(world.parts, job_id, by="tester")
    assert dead.drop(world.parts, job_id, by="tester", running=True) is None

    view = world.parts.ledger.view(DEFAULT)
    assert (view.held, view.settled) == (0, Decimal("0.048"))
    assert world.parts.store.find("r") == job_id
    assert not world.leap()
    with pytest.raises(NotPossible):
        dead.drop(world.parts, job_id, by="tester", running=True)
    assert dead.retry(world.parts, [job_id]) == []
    assert advance(world.parts, job_id) is None


@pytest.mark.parametrize("log", ["damaged", "gone", "wrong"])
def test_what_neither_record_nor_log_tells_may_be_anywhere(
    on_redis: World, client: redis.Redis, log: str
) -> None:
    world = on_redis
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h")
    world.run_for(120)
    damage(client, job_id)
    match log:
        case "damaged":
            client.lset(f"test:log:{job_id}", 1, "{")
        case "gone":
            client.delete(f"test:log:{job_id}")
        case _:
            client.lrem(f"test:log:{job_id}", 1, client.lindex(f"test:log:{job_id}", 2))  # type: ignore[arg-type]
    run_through_damage(world)
    with pytest.raises(NotPossible, match="nothing of it can be read, so it may be on the network"):
        dead.drop(world.parts, job_id, by="tester")
    assert dead.drop(world.parts, job_id, by="tester", running=True) is None
    assert world.parts.ledger.view(DEFAULT).held == 0


def test_a_command_that_cannot_be_read_is_skipped_and_said(on_redis: World, client: redis.Redis) -> None:
    import structlog

    world = on_redis
    job_id = world.enqueue(definition(runs_for="5m"))
    client.rpush(f"test:commands:{job_id}", '{"kind":"pause","by":"x","at":1.0,"seconds":0}')
    with structlog.testing.capture_logs() as lines:
        world.run()
    assert [line["job"] for line in lines if line["event"] == "command_unreadable"] == [job_id]
    audit(world)
