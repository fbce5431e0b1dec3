"""A worker may die at any instruction: before or after any call that leaves the engine.

For every such call of a job's life the worker is killed right after it, which is before the next one; its lease
lapses, another worker goes on. The end must be the same: one job on the network, paid once, nothing held.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from dispatcher.domain.events import Event
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.money import price
from dispatcher.domain.words import State
from dispatcher.engine.parts import Parts
from tests.world import World, definition

RATE = Decimal("0.04796")
DEFAULT = AccountName("default")


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class Tripwire:
    """Counts the calls that pass it, and kills at one of them: before it is made, or after."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.rounds: list[tuple[int, tuple[str, ...]]] = [(0, ())]
        """Where each round of the sweep begins, and what was called and logged in it."""
        self._kill_at: int | None = None
        self._before = True

    def arm(self, kill_at: int, *, before: bool) -> None:
        self._kill_at, self._before = kill_at, before

    def saw(self, name: str, log: Sequence[Event]) -> None:
        """A call is made, which logs these events."""
        begun, told = self.rounds[-1]
        self.rounds[-1] = (begun, (*told, name, *(event.kind for event in log if event.logged)))
        if name == "store.earliest_due":
            self.rounds.append((len(self.calls) + 1, ()))

    def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls.append(name)
        here = self._kill_at is not None and len(self.calls) - 1 == self._kill_at
        if here:
            self._kill_at = None
            if not self._before:
                call()
            raise Killed(name)
        return call()


class Wired:
    """A port whose calls pass a tripwire."""

    def __init__(self, port: Any, wire: Tripwire, name: str) -> None:
        self._port, self._wire, self._name = port, wire, name

    def __getattr__(self, method: str) -> Any:
        value = getattr(self._port, method)
        if not callable(value):
            return value

        def wired(*args: Any, **kwargs: Any) -> Any:
            log = args[2] if method in ("save", "release") and self._name == "store" else ()
            self._wire.saw(f"{self._name}.{method}", log)
            passed = self._wire.pass_through(f"{self._name}.{method}", lambda: value(*args, **kwargs))
            return Wired(passed, self._wire, "network") if method == "account" else passed

        return wired


def wired(parts: Parts, wire: Tripwire) -> Parts:
    return replace(
        parts,
        store=Wired(parts.store, wire, "store"),
        ledger=Wired(parts.ledger, wire, "ledger"),
        providers=Wired(parts.providers, wire, "providers"),
        waker=Wired(parts.waker, wire, "bell"),
    )


def extended_twice(world: World) -> JobId:
    return world.enqueue(definition(runs_for="25m"), request_id="k", policies={"extend": {"by": "10m"}})


def stopped_by_policy(world: World) -> JobId:
    return world.enqueue(
        definition(runs_for="3h"), timeout="1h", request_id="k", policies={"stop": {"after": "10m"}}
    )


def stopped_in_the_queue(world: World) -> JobId:
    return world.enqueue(
        definition(queued_for="3h"), request_id="k", policies={"stop": {"queued_longer_than": "10m"}}
    )


def fails(world: World) -> JobId:
    return world.enqueue(definition(runs_for="2m", exit_code=9), request_id="k")


LIVES: dict[str, Callable[[World], JobId]] = {
    life.__name__: life for life in (extended_twice, stopped_by_policy, stopped_in_the_queue, fails)
}


def live(
    life: Callable[[World], JobId], wire: Tripwire, make: Callable[[], World] = World
) -> tuple[World, JobId]:
    """One life from request to end; whoever is killed is followed by somebody who goes on."""
    world = make()
    world.parts = wired(world.parts, wire)
    job_id = None
    while True:
        try:
            job_id = life(world)  # a producer that was killed asks again, with the same request id
            world.run()
            return world, job_id
        except Killed:
            world.bell.rung.clear()  # the message dies with its worker


READS = {
    "store.waiting_accounts",
    "store.waiting_lines",
    "store.earliest_due",
    "store.waiters",
    "store.is_pinned",
    "store.document",
    "store.counts",
    "store.dependents",
    "providers.account",
    "ledger.view",
}
"""A kill after one of these leaves what the call before it left."""


def telling(wire: Tripwire) -> Iterator[int]:
    """The calls at which a kill may tell something new: those that leave something behind, and of rounds in a row in
    which the same was called and logged, as quiet looks are, those of the first and of the last."""
    rounds = wire.rounds
    for at, (begun, told) in enumerate(rounds):
        neighbours = [rounds[each][1] for each in (at - 1, at + 1) if 0 <= each < len(rounds)]
        if len(neighbours) < 2 or any(other != told for other in neighbours):
            end = rounds[at + 1][0] if at + 1 < len(rounds) else len(wire.calls)
            yield from (call for call in range(begun, end) if wire.calls[call] not in READS)


def kill_points(lives: dict[str, Callable[[World], JobId]]) -> list[Any]:
    points = []
    for name, life in lives.items():
        wire = Tripwire()
        live(life, wire)
        points += [pytest.param(name, at, id=f"{name}-{at}-{wire.calls[at]}") for at in telling(wire)]
    return points


@cache
def undisturbed(name: str) -> tuple[World, JobId]:
    """The life of this name as it is when nobody is killed."""
    return live(LIVES[name], Tripwire())


@pytest.mark.parametrize(("name", "index"), kill_points(LIVES))
def test_a_killed_worker_changes_nothing_about_the_end(name: str, index: int) -> None:
    quiet, first = undisturbed(name)
    wire = Tripwire()
    wire.arm(index, before=False)
    world, job_id = live(LIVES[name], wire)
    expected, job = quiet.job(first), world.job(job_id)

    assert (job.state, job.reason, job.extends) == (expected.state, expected.reason, expected.extends)
    assert len(world.network.jobs) == 1
    remote = next(iter(world.network.jobs.values()))
    assert remote.timeout == next(iter(quiet.network.jobs.values())).timeout
    balance = world.parts.providers.account(DEFAULT).balance()
    view = world.parts.ledger.view(DEFAULT)
    assert balance.reserved == 0
    assert view.held == 0
    assert job.spend.settled == view.settled == balance.settled
    world.check_log(job_id)


@pytest.mark.parametrize(("name", "index"), kill_points({"fails": fails}))
def test_an_operator_who_stops_a_job_whose_worker_was_killed_leaves_nothing_running(
    name: str, index: int
) -> None:
    """Whether the post landed is not known then: it has to be found out before the job may end."""
    world, wire = World(), Tripwire()
    world.parts = wired(world.parts, wire)
    wire.arm(index, before=False)
    try:
        LIVES[name](world)
        world.run()
    except Killed:
        world.bell.rung.clear()
    stored = world.parts.store.find("k")
    if stored is None:
        return  # the producer was killed before anything was stored
    world.stop(stored)
    world.run()
    job = world.job(stored)
    assert job.state in {State.STOPPED, State.FAILED}
    assert all(remote.over for remote in world.network.jobs.values())
    if job.remote is None:
        assert not world.network.jobs
    assert world.parts.ledger.view(DEFAULT).held == 0
    assert job.spend.settled == world.parts.providers.account(DEFAULT).balance().settled


def test_the_lives_are_what_they_are_called() -> None:
    ends = {}
    for name, life in LIVES.items():
        world, job_id = live(life, Tripwire())
        ends[name] = (world.job(job_id).state, world.job(job_id).extends, world.job(job_id).spend.settled)
    assert ends["extended_twice"] == (State.COMPLETED, 2, price(RATE, 1500))
    assert ends["stopped_by_policy"][:2] == (State.STOPPED, 0)
    assert ends["stopped_in_the_queue"] == (State.STOPPED, 0, 0)
    assert ends["fails"] == (State.FAILED, 0, price(RATE, 120))
