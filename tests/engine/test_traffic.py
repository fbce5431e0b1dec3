"""Jobs while calls are held back: nobody hammers a network in trouble, and nothing is lost or paid twice for it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from dispatcher.domain.events import StopOrdered
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.view import view
from dispatcher.domain.words import Reason, State
from dispatcher.engine.advance import advance
from dispatcher.engine.calls import send
from dispatcher.engine.credit import watch_credit
from dispatcher.ports.provider import Provider
from dispatcher.providers.accounts import Accounts
from dispatcher.simulator.fault_plan import parse_plan
from tests.engine.audit import audit
from tests.world import World, definition

DEFAULT = AccountName("default")


class Witnessed(World):
    """A world in which every call that goes out is noted: when, what, and whether it was answered well."""

    def __init__(self, **fields: Any) -> None:
        self.calls: list[tuple[float, str, bool]] = []
        super().__init__(**fields)

    def undisciplined(self, name: str) -> Provider:
        provider, world = super().undisciplined(name), self

        class Witness:
            def __getattr__(self, operation: str) -> Any:
                value = getattr(provider, operation)
                if not callable(value):
                    return value

                def call(*args: Any, **kwargs: Any) -> Any:
                    at, well = world.clock.at, False
                    try:
                        answer = value(*args, **kwargs)
                        well = True
                    finally:
                        world.calls.append((at, operation, well))
                    return answer

                return call

        return Witness()  # type: ignore[return-value]  # its methods come from nowhere

    def faults(self, *faults: dict[str, Any]) -> None:
        self.network.faults.replace(parse_plan(list(faults)))

    def since(self, at: float) -> list[tuple[float, str, bool]]:
        return [call for call in self.calls if call[0] >= at]


def down(route: str = "*", kind: str = "cut") -> dict[str, Any]:
    return {"route": route, "kind": kind}


def limited(route: str, seconds: float, times: int = 1) -> dict[str, Any]:
    return {"route": route, "kind": "rate_limit", "retry_after": seconds, "times": times}


# --- a network that wants a pause ------------------------------------------------------------------------------


def test_retry_after_of_one_job_pauses_all() -> None:
    world = Witnessed()
    for _ in range(10):
        world.enqueue(definition(runs_for="25m"), timeout="30m")
    world.run_for(120)
    world.faults(limited("jobs.get", 200))
    with capture_logs() as logs:
        world.run_for(60)
        paused_at = next(at for at, operation, well in world.calls if not well)
        late = world.enqueue()
        world.run_for(100)
    assert world.since(paused_at + 0.001) == []
    assert [line["event"] for line in logs] == ["account_paused"]
    shown = view(world.job(late), world.clock.at)
    assert "pause until" in shown["detail"]
    assert shown["reason"] == "awaiting_network"
    assert world.job(late).wait is not None
    assert world.parts.store.next_due(late).at == pytest.approx(paused_at + 200)  # type: ignore[union-attr]
    world.run()
    assert world.since(paused_at + 0.001)[0][0] == pytest.approx(paused_at + 200)
    assert {job.state for job in world.parts.store.list_jobs(limit=100)} == {State.COMPLETED}
    audit(world)


def test_another_account_goes_on() -> None:
    world = Witnessed(accounts={"default": "10", "other": "10"})
    world.faults(limited("credits.balance", 1000))
    first = world.enqueue(account="default")
    world.run_for(1)
    second = world.enqueue(account="other", definition_=definition("other"))
    world.run_for(60)
    assert world.job(first).state is State.ENQUEUED
    assert world.job(second).state is State.RUNNING
    world.run()
    audit(world)


def test_pauses_without_a_length_double_while_they_are_asked_for() -> None:
    world = Witnessed()
    world.faults({"route": "credits.balance", "kind": "rate_limit", "retry_after": None})
    world.enqueue()
    world.run_for(120)
    asked = [at for at, operation, _ in world.calls if operation == "balance"]
    gaps = [round(later - earlier) for earlier, later in pairwise(asked)]
    assert gaps[:1] == [2]  # the job's own ladder begins with 2 s
    assert gaps == sorted(gaps)
    assert len(asked) < 10
    world.faults()
    world.run()
    audit(world)


@pytest.mark.parametrize("margin", ["1m", "2m", "4m"])
@pytest.mark.parametrize("wish", [30, 600, 7200])
def test_an_extension_is_tried_again_before_the_deadline_whatever_the_network_wishes(
    wish: float, margin: str
) -> None:
    world = Witnessed()
    job_id = world.enqueue(
        definition(runs_for="15m"), timeout="10m", policies={"extend": {"by": "10m", "margin": margin}}
    )
    world.run_for(30)
    world.faults(limited("jobs.extend", wish, times=2))
    world.run_for(600)
    tries = [(at, well) for at, operation, well in world.calls if operation == "extend"]
    assert [well for _, well in tries] == [False, False, True]
    job = world.job(job_id)
    assert (job.state, job.extends) == (State.RUNNING, 1)
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_somebody_elses_pause_does_not_keep_an_extension_beyond_its_deadline() -> None:
    """The margin begins in the middle of a pause of two hours that another job's look has brought about."""
    world = Witnessed()
    job_id = world.enqueue(
        definition(runs_for="15m"), timeout="10m", policies={"extend": {"by": "10m", "margin": "1m"}}
    )
    world.enqueue(definition("other", runs_for="15m"), timeout="20m")
    world.run_for(480)
    world.faults(limited("jobs.get", 7200))
    world.run_for(300)
    sent = [at for at, operation, _ in world.calls if operation == "extend"]
    deadline = world.job(job_id).remote.deadline  # type: ignore[union-attr]
    assert deadline is not None
    assert len(sent) == 1
    assert sent[0] < deadline - 600
    assert world.job(job_id).extends == 1
    # Its own balance was not asked for: the last known one was good enough.
    paused_at = next(at for at, _, well in world.calls if not well)
    assert [operation for _, operation, _ in world.since(paused_at + 0.001)] == ["extend"]
    world.run()
    audit(world)


def test_a_stop_is_tried_after_five_minutes_of_a_long_pause() -> None:
    world = Witnessed()
    job_id = world.enqueue(definition(runs_for="3h"), timeout="3h")
    world.run_for(60)
    world.faults(limited("jobs.get", 7200))
    world.run_for(301)
    paused_at = next(at for at, _, well in world.calls if not well)
    world.clock.at = paused_at + 10
    world.stop(job_id)
    world.run_for(289)
    assert world.job(job_id).call is not None
    assert "pause until" in view(world.job(job_id), world.clock.at)["detail"]
    assert "stop" not in {operation for _, operation, _ in world.calls}
    world.run_for(2)
    assert [at - paused_at for at, operation, _ in world.calls if operation == "stop"] == [pytest.approx(300)]
    assert world.job(job_id).stop is not None
    world.run()
    assert world.job(job_id).reason is Reason.OPERATOR
    audit(world)


# --- the rate limit --------------------------------------------------------------------------------------------


def test_a_slow_rate_is_kept_and_everybody_has_a_turn() -> None:
    world = Witnessed(requests_per_second=1.0)
    for number in range(30):
        world.enqueue(definition(str(number), runs_for="5m"))
    world.run()
    moments = [at for at, operation, _ in world.calls if operation not in ("pin", "result")]
    for index, at in enumerate(moments):
        assert len([other for other in moments[: index + 1] if other > at - 30]) <= 30 + 4
    assert {job.state for job in world.parts.store.list_jobs(limit=100)} == {State.COMPLETED}
    assert max(len(world.parts.store.events(job.id)) for job in world.parts.store.list_jobs()) < 40
    audit(world)


def test_stops_go_out_while_looks_wait() -> None:
    world = Witnessed(requests_per_second=2.0)
    jobs = [world.enqueue(definition(str(n), runs_for="3h"), timeout="3h") for n in range(20)]
    world.run_for(600)
    for _ in range(10):  # whoever wants to look has looked
        world.work()
    at = world.clock.at
    for job_id in jobs[:4]:
        world.stop(job_id)
    world.work()
    assert [operation for _, operation, _ in world.since(at)].count("stop") == 4
    world.run()
    audit(world)


# --- the breaker -----------------------------------------------------------------------------------------------


def fifty(world: Witnessed) -> dict[str, list[JobId]]:
    """Jobs of every kind, ten minutes before the network comes back."""
    jobs: dict[str, list[JobId]] = {
        "stopped": [world.enqueue(definition(f"s{n}", runs_for="3h"), timeout="4h") for n in range(10)],
        "extended": [
            world.enqueue(
                definition(f"e{n}", runs_for="35m"),
                timeout="15m",
                policies={"extend": {"by": "30m", "margin": "6m"}},
            )
            for n in range(10)
        ],
        "running": [world.enqueue(definition(f"r{n}", runs_for="30m"), timeout="1h") for n in range(10)],
    }
    world.run_for(240)
    return jobs


def test_a_network_that_is_down_for_ten_minutes() -> None:
    world = Witnessed()
    jobs = fifty(world)
    world.faults(down())
    fell = world.clock.at
    with capture_logs() as logs:
        jobs["new"] = [world.enqueue(definition(f"n{n}", runs_for="5m")) for n in range(20)]
        world.run_for(60)
        for job_id in jobs["stopped"]:
            world.stop(job_id)
        world.run_for(540)
        healed = world.clock.at
        asked = world.since(fell)
        world.faults()
        world.run_for(120)
    per_kind = Counter(operation for _, operation, _ in asked)
    # Stops and extensions go on, by their own ladder; of everything else only single tries are made.
    assert per_kind["post"] == 0
    assert sum(n for operation, n in per_kind.items() if operation not in ("stop", "extend")) <= 25, per_kind
    assert 80 <= per_kind["stop"] <= 420
    assert 80 <= per_kind["extend"] <= 140
    after = [operation for _, operation, well in world.since(healed) if well]
    assert len(after) == len(world.since(healed))
    # Stops and extensions were tried all the time, so the first to get through is one of these; posts come last.
    assert after[0] in ("stop", "extend")
    assert after.index("get") < after.index("post")
    assert after.count("post") == 20
    events = [line["event"] for line in logs if line["event"].startswith("breaker")]
    assert events == ["breaker_opened", "breaker_closed"]
    for job_id in jobs["extended"]:
        assert world.job(job_id).extends == 1
    world.run()
    audit(world)
    ends = {
        kind: {(world.job(job).state, world.job(job).reason) for job in ids} for kind, ids in jobs.items()
    }
    assert ends == {
        "stopped": {(State.STOPPED, Reason.OPERATOR)},
        "extended": {(State.COMPLETED, Reason.FINISHED)},
        "running": {(State.COMPLETED, Reason.FINISHED)},
        "new": {(State.COMPLETED, Reason.FINISHED)},
    }


@pytest.mark.parametrize("kind", ["cut", "lose_answer"])
def test_posts_alone_find_out_that_the_network_is_back(kind: str) -> None:
    """Twenty posts under way and nothing else: no look comes by, and no post may be the one that tries."""
    world = Witnessed()
    world.faults(down("jobs.list", kind))
    jobs = [world.enqueue(definition(str(n))) for n in range(20)]
    world.work()
    assert {world.job(job).state for job in jobs} == {State.POSTING}
    world.faults(down("*", kind))
    fell, world.calls = world.clock.at, []
    world.run_for(600)
    assert {operation for _, operation, _ in world.calls} == {"balance"}
    gaps = [round(later - earlier) for (earlier, *_), (later, *_) in pairwise(world.calls)]
    assert world.calls[0][0] - fell == 5
    assert gaps[:3] == [10, 20, 40]
    assert all(60 <= gap <= 70 for gap in gaps[4:])
    world.faults()
    world.run()
    assert {world.job(job).state for job in jobs} == {State.COMPLETED}
    audit(world)


def test_a_job_whose_post_was_held_back_is_stopped_without_being_posted() -> None:
    world, job_id = world_with_a_held_post()
    stopped = apply(world.job(job_id), StopOrdered(at=world.clock.at, reason=Reason.OPERATOR, by="tester"))
    assert [event.kind for event in send(world.parts, stopped)] == ["call_refused"]
    assert world.parts.ledger.view(DEFAULT).held == 0  # at once, not only when the job is over
    assert "times in a row" in view(world.job(job_id), world.clock.at)["detail"]
    world.stop(job_id)
    world.work()
    job = world.job(job_id)
    assert (job.state, job.reason, job.spend.settled) == (State.STOPPED, Reason.OPERATOR, 0)
    assert world.parts.ledger.view(DEFAULT).held == 0
    assert world.network.jobs == {}
    audit(world)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_of_a_post_that_was_held_back_is_believed_at_once(status: int) -> None:
    """It was written down a while ago, but never sent: what refuses it now refuses it for the first time."""
    world, job_id = world_with_a_held_post()
    world.faults({"route": "jobs.list", "kind": "status", "status": status})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.REJECTED, Reason.REFUSED)
    assert [operation for _, operation, _ in world.calls].count("post") == 1
    audit(world)


def test_a_refusal_of_a_post_that_may_have_landed_is_not() -> None:
    world = Witnessed()
    world.faults({"route": "jobs.list", "kind": "lose_answer", "times": 1})
    job_id = world.enqueue()
    world.work()
    assert world.job(job_id).state is State.POSTING
    world.faults(limited("credits.balance", 100))
    with pytest.raises(Exception, match="balance"):
        world.parts.providers.account(DEFAULT).balance()
    world.run_for(50)
    call = world.job(job_id).call
    assert call is not None
    assert (call.tries, call.unsent_until) == (1, None)
    assert call.held is not None
    world.stop(job_id)
    world.work()
    assert world.job(job_id).state is State.POSTING  # it may be there, and has to be found first
    world.run()
    assert world.job(job_id).state is State.STOPPED
    audit(world)


def world_with_a_held_post() -> tuple[Witnessed, JobId]:
    """The network fails for others between this job's pin and its post."""
    world = Witnessed()
    trip = [True]

    def fail_before_the_post(store_mark_pinned: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def mark_pinned(cid: Any, account: Any) -> None:
            store_mark_pinned(cid, account)
            if trip.pop() if trip else False:
                world.faults(down("jobs.get"))
                for _ in range(8):
                    with pytest.raises(Exception, match="no answer"):
                        world.parts.providers.account(DEFAULT).get(
                            "5K7vH9QmPzXrT2bNcY8wLdJ4sFgA6eUoRk1MnBtVxCqE"
                        )  # type: ignore[arg-type]
                world.faults(down())

        return mark_pinned

    store = world.parts.store
    store.mark_pinned = fail_before_the_post(store.mark_pinned)  # type: ignore[method-assign]
    job_id = world.enqueue()
    world.run_for(2)
    call = world.job(job_id).call
    assert call is not None
    assert (call.tries, call.held is not None) == (0, True)
    assert "post" not in {operation for _, operation, _ in world.calls}
    return world, job_id


# --- the watch for credit, and several workers ---------------------------------------------------------------------


def test_a_watch_for_credit_that_is_held_back_looks_as_soon_as_it_may() -> None:
    world = Witnessed(accounts={"default": "0.001"})
    world.enqueue()
    world.work()
    assert world.parts.store.waiting_accounts() == [DEFAULT]
    world.clock.move(100)
    world.faults(limited("credits.balance", 2))
    with pytest.raises(Exception, match="429"):
        world.parts.providers.account(DEFAULT).balance()
    world.credit("default", "1")
    before = len(world.calls)
    assert watch_credit(world.parts) == []
    assert len(world.calls) == before
    world.clock.move(1.9)
    # Nor does every sweep ask until then.
    assert not world.parts.store.take_turn("credit:default", now=world.clock.at, period=5)
    world.clock.move(0.1)
    assert len(watch_credit(world.parts)) == 1
    world.run()
    audit(world)


def test_workers_share_pauses_and_breakers() -> None:
    world = Witnessed()
    other = replace(world.parts, providers=Accounts({DEFAULT: world.provider("default")}))
    jobs = [world.enqueue(definition(str(n))) for n in range(2)]
    world.faults(limited("credits.balance", 40))
    advance(world.parts, jobs[0])
    assert len(world.calls) == 2  # a market, a balance
    advance(other, jobs[1])
    waits = [world.job(job).wait for job in jobs]
    assert [wait.retry_at for wait in waits if wait is not None] == [world.clock.at + 40] * 2
    assert [wait.tries for wait in waits if wait is not None] == [1, 0]
    assert [operation for _, operation, _ in world.calls].count("balance") == 1
    world.run()
    audit(world)
    assert world.parts.ledger.view(DEFAULT).settled > Decimal(0)
