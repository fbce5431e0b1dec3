"""Two workers and one job: messages come twice, leases lapse during calls, answers come when nobody waits for them.

While one worker is inside a call that leaves the engine, another takes the same job; then the first goes on.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain.ids import JobId
from dispatcher.domain.words import Reason, State
from dispatcher.engine.advance import advance
from dispatcher.engine.parts import Parts
from dispatcher.engine.sweep import sweep
from tests.engine.audit import audit, remotes
from tests.engine.test_crashes import (
    LIVES,
    Tripwire,
    extended_twice,
    kill_points,
    stopped_in_the_queue,
    wired,
)
from tests.world import ADDRESS, World, definition


class Intruder(Tripwire):
    """Lets something happen inside one of the calls that pass, before it is made or after."""

    def __init__(self, at: int, *, before: bool, intrude: Callable[[], Any]) -> None:
        super().__init__()
        self._at, self._before_it, self._intrude = at, before, intrude

    def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls.append(name)
        if len(self.calls) - 1 != self._at:
            return call()
        if self._before_it:
            self._intrude()
            return call()
        answer = call()
        self._intrude()
        return answer


def intruded(name: str, index: int, *, before: bool, lapse: float) -> tuple[World, JobId]:
    """One life during which, at one call, time passes and then another worker works off all that is due."""
    world = World()
    plain = world.parts

    def intrude() -> None:
        world.clock.move(lapse)
        for job in plain.store.list_jobs():
            advance(plain, job.id)  # a message that came twice
        sweep(plain)
        for _, job_id in list(world.bell.rung):
            advance(plain, job_id)

    world.parts = wired(plain, Intruder(index, before=before, intrude=intrude))
    job_id = LIVES[name](world)
    world.run()
    return world, job_id


POINTS = [
    point
    for point in kill_points({life.__name__: life for life in (extended_twice, stopped_in_the_queue)})
    if any(call in str(point.id) for call in ("network.", "ledger.", "store.save", "store.release"))
]


@pytest.mark.parametrize("lapse", [0.0, 31.0], ids=["leased", "lapsed"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("name", "index"), POINTS)
def test_two_workers_do_what_one_does(name: str, index: int, before: bool, lapse: float) -> None:
    world, job_id = intruded(name, index, before=before, lapse=lapse)
    reason = {"extended_twice": Reason.FINISHED, "stopped_in_the_queue": Reason.QUEUED_TOO_LONG}[name]
    job = world.job(job_id)
    assert job.reason is reason
    if name == "extended_twice":
        assert job.extends == 2
    audit(world)


class Stalls:
    """A network whose answer to one kind of call is held back until something else has happened."""

    def __init__(self, parts: Parts, operation: str, meanwhile: Callable[[], Any]) -> None:
        self._parts, self._operation, self._meanwhile = parts, operation, meanwhile

    def names(self) -> Any:
        return self._parts.providers.names()

    def account(self, name: Any, **how: Any) -> Any:
        provider, stalls = self._parts.providers.account(name, **how), self

        class Slow:
            def __getattr__(self, method: str) -> Any:
                value = getattr(provider, method)
                if method != stalls._operation:
                    return value

                def stalled(*args: Any, **kwargs: Any) -> Any:
                    try:
                        return value(*args, **kwargs)
                    finally:
                        stalls._meanwhile()

                return stalled

        return Slow()


def test_an_end_that_a_worker_without_a_lease_sees_settles_nothing() -> None:
    """A market that was away for a moment rejects the job in a worker whose lease lapsed. The job is another's, by
    now posted and running; were its books closed, no extension of it could be held any more."""
    world = World()
    parts = world.parts
    job_id = world.enqueue(definition(runs_for="25m"), policies={"extend": {"by": "10m"}})
    market = world.network.markets.pop(ADDRESS)

    def meanwhile() -> None:
        world.network.markets[ADDRESS] = market
        world.clock.move(31)
        advance(parts, job_id)

    assert advance(replace(parts, providers=Stalls(parts, "market", meanwhile)), job_id) is None
    assert world.job(job_id).state is State.QUEUED
    world.run()
    assert (world.job(job_id).state, world.job(job_id).extends) == (State.COMPLETED, 2)
    audit(world)


def test_a_worker_that_dies_between_the_end_and_the_books_is_followed_by_one_that_closes_them() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="5m"))
    ledger = world.parts.ledger

    class Dies:
        def __getattr__(self, name: str) -> Any:
            if name == "settle":
                raise RuntimeError("killed")
            return getattr(ledger, name)

    parts, world.parts = world.parts, replace(world.parts, ledger=Dies())
    with pytest.raises(RuntimeError, match="killed"):
        world.run()
    assert world.job(job_id).state is State.COMPLETED
    assert parts.ledger.view(world.job(job_id).spec.account).held > 0
    world.parts = parts
    world.run()
    audit(world)


def test_late_messages_for_a_job_that_is_over_change_nothing() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run()
    before, log = world.job(job_id), world.parts.store.events(job_id)
    for _ in range(3):
        assert advance(world.parts, job_id) == before
    assert world.parts.store.events(job_id) == log
    audit(world)


@pytest.mark.parametrize(("takes", "fetched"), [(33.0, True), (110.0, True), (400.0, False)])
def test_a_result_that_takes_longer_than_a_lease_keeps_no_job_for_ever(takes: float, fetched: bool) -> None:
    """Every worker would lose its lease while it fetches, save nothing, and be followed by another."""
    world = World()
    parts, inside = world.parts, 0

    def meanwhile() -> None:
        nonlocal inside
        inside += 1
        for _ in range(int(takes / 11)):
            world.clock.move(11)
            if inside < 3 and parts.store.take_due(now=world.clock.at, limit=1, grace=10):
                advance(world.parts, job_id)
        inside -= 1

    job_id = world.enqueue(definition(runs_for="5m"))
    world.parts = replace(parts, providers=Stalls(parts, "result", meanwhile))
    world.run(at_most=7200)
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.COMPLETED, Reason.FINISHED)
    assert (parts.store.result(job_id) is not None) is fetched
    world.parts = parts
    audit(world)


@pytest.mark.parametrize("skew", [-45.0, -5.0, 5.0, 45.0])
def test_a_worker_whose_clock_is_off_takes_leases_that_hold_and_pays_nothing_twice(skew: float) -> None:
    world = World(faults=[{"route": "jobs.*", "kind": "lose_answer", "probability": 0.3}])

    class Off:
        speed = 1.0

        def now(self) -> float:
            return world.clock.now() + skew

    plain, calls = world.parts, 0
    off = replace(plain, clock=Off())

    class Busy(Tripwire):
        def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
            nonlocal calls
            calls += 1
            if calls % 5 == 0:
                advance(off, job_id)
            return call()

    job_id = world.enqueue(definition(runs_for="25m"), policies={"extend": {"by": "10m"}})
    world.parts = wired(plain, Busy())
    world.run()
    assert len(remotes(world, job_id)) == 1
    assert world.job(job_id).state is State.COMPLETED
    world.parts = plain
    audit(world)
