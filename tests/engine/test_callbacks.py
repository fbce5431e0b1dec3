"""The application is told of every end, at least once, always under the same task id, and nobody waits for that."""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import fakeredis
import pytest

from dispatcher.domain.crashes import Crash
from dispatcher.domain.errors import Bug, NotPossible, UnreadableRecord
from dispatcher.domain.ids import JobId, LeaseToken
from dispatcher.domain.view import timestamp
from dispatcher.domain.words import Reason, State
from dispatcher.engine import dead
from dispatcher.engine.closing import callback_state
from dispatcher.engine.parts import Parts
from dispatcher.engine.reconcile import reconcile
from dispatcher.store.redis import RedisLedger, RedisStore
from tests.engine.audit import audit
from tests.world import World, definition

CALLBACK = {"task": "billing.job_ended", "queue": "billing", "kwargs": {"order": 17}}
SECRET = "canary-5f1c9d"


def asked(world: World, **fields: Any) -> JobId:
    made = definition(runs_for="2m")
    made["ops"][0]["args"]["env"] = {"MODE": SECRET}
    return world.enqueue(
        made, **{"callback": CALLBACK, "request_id": "order-17", "labels": {"team": "a"}, **fields}
    )


def test_the_application_is_told_how_the_job_ended() -> None:
    world = World()
    job_id = asked(world)
    world.run_for(60)
    assert world.receiver.sent == []
    assert callback_state(world.parts, world.job(job_id)) == "waits"
    world.run()
    (message,) = world.receiver.sent
    assert (message.task, message.queue, message.kwargs) == ("billing.job_ended", "billing", {"order": 17})
    assert (message.task_id, message.about) == (f"{job_id}:ended", job_id)
    job = world.job(job_id)
    assert job.remote is not None
    assert job.ending is not None
    assert message.args == (
        job_id,
        {
            "id": job_id,
            "request_id": "order-17",
            "labels": {"team": "a"},
            "state": "completed",
            "reason": "finished",
            "exit_code": 0,
            "result_cid": job.remote.result_cid,
            "address": job.remote.address,
            "attempts": 1,
            "settled_usd": "0.002",
            "created_at": "2027-01-15T08:00:00Z",
            "ended_at": timestamp(job.ending.at),
        },
    )
    assert SECRET not in json.dumps([message.args, dict(message.kwargs)])
    assert callback_state(world.parts, job) == "sent"
    audit(world)


@pytest.mark.parametrize("how", ["rejected", "stopped", "failed"])
def test_every_end_is_told(how: str) -> None:
    world = World(accounts={"default": "0" if how == "rejected" else "100"})
    policies = {"credit": {"when_short": "fail"}}
    job_id = world.enqueue(definition(exit_code=1), callback="app.ended", policies=policies)
    if how == "stopped":
        world.stop(job_id)
    world.run()
    (message,) = world.receiver.sent
    assert message.args[1]["state"] == how == world.job(job_id).state
    assert message.queue is None


def test_a_job_without_a_callback_needs_no_broker() -> None:
    world = World()
    world.parts = replace(world.parts, callbacks=Parts.__dataclass_fields__["callbacks"].default_factory())  # type: ignore[misc,operator]
    job_id = world.enqueue()
    world.run()
    assert callback_state(world.parts, world.job(job_id)) is None
    world.enqueue(callback="app.ended")
    with pytest.raises(Bug, match=r"no broker for the callback app\.ended"):
        world.run()


def test_a_broker_that_is_down_delays_the_callback_and_nothing_else() -> None:
    world = World()
    world.receiver.down = True
    job_id = asked(world)
    second = world.enqueue(definition("second"), after=[job_id])
    world.run_for(1800)
    job = world.job(job_id)
    assert job.state is State.COMPLETED
    assert world.job(second).state is State.COMPLETED
    assert callback_state(world.parts, job) == "due"
    due = world.parts.store.next_due(job_id)
    assert due is not None
    assert 0 < due.at - world.clock.at <= 30
    assert world.parts.store.trouble(job_id) is None
    assert world.parts.ledger.view(job.account).held == 0
    # Nobody takes it for damaged, and a stop that comes too late does not make it due again and again.
    world.stop(job_id)
    assert reconcile(world.parts, whole=True).findings == []
    before = len(world.recorder.seen)
    world.run_for(100)
    assert len(world.recorder.seen) == before

    world.receiver.down = False
    world.run_for(31)
    assert [message.task_id for message in world.receiver.sent] == [f"{job_id}:ended"]
    assert callback_state(world.parts, world.job(job_id)) == "sent"
    audit(world)


def test_tries_are_close_at_first_and_then_half_a_minute_apart() -> None:
    world = World()
    world.receiver.down = True
    tries: list[float] = []
    sending = world.receiver.send

    def noted(message: Any) -> None:
        tries.append(world.clock.at)
        sending(message)

    world.receiver.send = noted  # type: ignore[method-assign]
    asked(world)
    world.run_for(600)
    gaps = [round(later - earlier) for earlier, later in pairwise(tries)]
    assert gaps[:6] == [2, 2, 4, 8, 16, 30]
    assert set(gaps[6:]) == {30}


def test_a_command_that_came_too_late_does_not_keep_the_job_due() -> None:
    """Kept beside the job after its last look at its commands: nobody takes it in any more."""
    world = World()
    world.receiver.down = True
    job_id = asked(world)
    settle, rounds = world.parts.ledger.settle, []

    def settled(*args: Any) -> None:
        rounds.append(world.clock.at)
        settle(*args)

    world.parts.ledger.settle = settled  # type: ignore[method-assign]
    save = world.parts.store.save

    def saved(claim: Any, job: Any, log: Any, **how: Any) -> Any:
        if job.state.is_final:
            world.stop(job_id)
        return save(claim, job, log, **how)

    world.parts.store.save = saved  # type: ignore[method-assign]
    world.run_for(300)
    assert len(rounds) < 20


def test_a_dropped_dead_letter_is_told_too() -> None:
    world = World()
    world.receiver.down = True
    job_id = asked(world)
    die(world, job_id)
    dead.drop(world.parts, job_id, by="tester")
    assert callback_state(world.parts, world.job(job_id)) == "due"
    world.receiver.down = False
    world.run()
    (message,) = world.receiver.sent
    assert (message.args[1]["state"], message.args[1]["reason"]) == ("failed", "dropped")


def die(world: World, job_id: JobId) -> None:
    claim = world.parts.store.claim(job_id, now=world.clock.at, lease=30)
    assert claim is not None
    world.parts.store.crashed(job_id, claim.token, Crash("x", "x"), now=0, retry_at=0, at_most=1)


def test_the_drop_of_a_record_that_cannot_be_read_is_told_by_its_log_and_wakes_who_comes_after() -> None:
    world = World()
    fake = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    world.parts = replace(world.parts, store=RedisStore(fake, "test"), ledger=RedisLedger(fake, "test"))
    job_id = asked(world)
    second = world.enqueue(definition("second"), after=[job_id])
    fake.hset(f"test:job:{job_id}", "job", "{}")
    die_unread(world, job_id)
    world.run_for(20)
    waits = world.job(second).wait
    assert waits is not None
    assert waits.detail == f"waits for {job_id} (its record cannot be read)"
    world.receiver.down = True
    with pytest.raises(NotPossible, match="its callback cannot be sent now"):
        dead.drop(world.parts, job_id, by="tester")
    world.receiver.down = False
    world.clock.move(60)
    die_unread(world, job_id)
    assert dead.drop(world.parts, job_id, by="tester") is None
    (message,) = world.receiver.sent
    assert (message.args[1]["state"], message.args[1]["reason"]) == ("failed", "dropped")
    world.run_for(5)
    assert (world.job(second).state, world.job(second).reason) == (State.REJECTED, Reason.UPSTREAM)
    fake.close()


def die_unread(world: World, job_id: JobId) -> None:
    with pytest.raises(UnreadableRecord) as unread:
        world.parts.store.claim(job_id, now=world.clock.at, lease=30)
    assert unread.value.token is not None
    token = LeaseToken(unread.value.token)
    world.parts.store.crashed(job_id, token, Crash("x", "x"), now=world.clock.at, retry_at=0, at_most=1)
