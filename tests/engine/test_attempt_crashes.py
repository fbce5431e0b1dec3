"""A worker may die before or after any call that leaves the engine, also where one attempt follows another.

The end is the same as without its death: as many attempts, each paid once, never two of them alive, nothing held.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from dispatcher.domain.ids import AccountName, JobId, ProjectAddress
from dispatcher.domain.words import Reason, State
from dispatcher.simulator.conditions import Conditions
from dispatcher.simulator.markets import PREMIUM_3060
from dispatcher.simulator.network import Options
from tests.engine.test_crashes import Killed, Tripwire, live, wired
from tests.world import MARKET, World, definition

DEFAULT, SPARE = AccountName("default"), AccountName("spare")
SEEN_SOON = {"every": "1m", "at_most": "1m"}


def host_quits(world: World) -> JobId:
    policies = {"retry": {"on": ["host_quit"], "backoff": "20s"}, "poll": SEEN_SOON}
    return world.enqueue(definition(host_quits_after="3m", only_first=1), request_id="k", policies=policies)


def to_another_account(world: World) -> JobId:
    place = {"market": MARKET, "account": "spare"}
    dear = {"market": "nvidia-a100", "max_rate_per_hour": "0.1"}
    retry = {"on": ["exit_code"], "backoff": "20s", "elsewhere": [dear, place]}
    failing = definition(runs_for="3m", exit_code=3, only_first=1)
    return world.enqueue(failing, request_id="k", policies={"retry": retry, "poll": SEEN_SOON})


def delisted(world: World) -> JobId:
    world.network.change_market(PREMIUM_3060, Conditions(hosts=0))
    policies = {
        "retry": {"on": ["queued_too_long"], "elsewhere": [{"market": "nvidia-a100"}]},
        "stop": {"queued_longer_than": "5m"},
        "poll": SEEN_SOON,
    }
    return world.enqueue(request_id="k", policies=policies)


LIVES: dict[str, Callable[[World], JobId]] = {
    life.__name__: life for life in (host_quits, to_another_account, delisted)
}


def keyed() -> World:
    return World(accounts={"default": "1", "spare": "1"})


def unkeyed() -> World:
    world = World(accounts={"default": "1", "spare": "1"}, options=Options(generation=2))
    for name in (DEFAULT, SPARE):
        account = world.network.accounts.of_key(f"nos_{name}")
        assert account is not None
        world.parts.store.note_project(name, ProjectAddress(account.project))
    return world


CHANGES = {"save", "release", "hold", "confirm", "settle_attempt", "settle", "void", "post", "stop"}


class Watching(Tripwire):
    """Notes where the job is at each call that changes something."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[tuple[Any, ...], int] = {}
        self.store: Any = None

    def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
        if name.rpartition(".")[2] in CHANGES:
            where = [(job.state, job.reason, job.attempt) for job in self.store.list_jobs(limit=1)]
            self.places.setdefault((name, *where), len(self.calls))
        return super().pass_through(name, call)


def points(make: Callable[[], World], *names: str) -> list[Any]:
    """Each such call, once for each place in the job's life: a look that is repeated tells nothing new."""
    found = []
    for name in names or LIVES:
        wire = Watching()

        def watched(wire: Watching = wire) -> World:
            world = make()
            wire.store = world.parts.store
            return world

        live(LIVES[name], wire, watched)
        indexes = sorted(wire.places.values())
        found += [pytest.param(name, index, id=f"{name}-{index}-{wire.calls[index]}") for index in indexes]
    return found


def alive_together(world: World) -> bool:
    """Whether two jobs were on the network at one moment."""
    spans = sorted((job.listed_at, job.ended_at or job.delisted_at) for job in world.network.jobs.values())
    return any(after[0] < before[1] for before, after in pairwise(spans))


def check_same(undisturbed: World, first: JobId, world: World, job_id: JobId) -> None:
    expected, job = undisturbed.job(first), world.job(job_id)
    assert (job.state, job.reason, job.attempt) == (expected.state, expected.reason, expected.attempt)
    assert [each.reason for each in job.earlier] == [each.reason for each in expected.earlier]
    assert len(world.network.jobs) == len(undisturbed.network.jobs)
    assert all(remote.over for remote in world.network.jobs.values())
    assert not alive_together(world)
    for name in (DEFAULT, SPARE):
        balance = world.parts.providers.account(name).balance()
        view = world.parts.ledger.view(name)
        assert (balance.reserved, view.held) == (0, 0)
        assert view.settled == balance.settled
    world.check_log(job_id)


@pytest.mark.parametrize(("name", "index"), points(keyed))
def test_a_killed_worker_changes_nothing_about_the_end(name: str, index: int) -> None:
    undisturbed, first = live(LIVES[name], Tripwire(), keyed)
    wire = Tripwire()
    wire.arm(index, before=False)
    world, job_id = live(LIVES[name], wire, keyed)
    check_same(undisturbed, first, world, job_id)


@pytest.mark.parametrize(("name", "index"), points(unkeyed, "host_quits", "delisted"))
def test_nor_does_it_without_keys(name: str, index: int) -> None:
    undisturbed, first = live(LIVES[name], Tripwire(), unkeyed)
    wire = Tripwire()
    wire.arm(index, before=False)
    world, job_id = live(LIVES[name], wire, unkeyed)
    job = world.job(job_id)
    if job.attempt == 1:
        # The stop was sent again, and the network did not know the job any more: that is no word for it.
        assert (job.state, job.reason) == (State.STOPPED, Reason.QUEUED_TOO_LONG)
        assert job.ending is not None
        assert "not known to be over" in job.ending.detail
        assert all(remote.over for remote in world.network.jobs.values())
        return
    check_same(undisturbed, first, world, job_id)


@pytest.mark.parametrize(("name", "index"), points(keyed, "to_another_account"))
def test_an_operator_who_stops_a_job_whose_worker_was_killed_leaves_nothing(name: str, index: int) -> None:
    world, wire = keyed(), Tripwire()
    world.parts = wired(world.parts, wire)
    wire.arm(index, before=False)
    try:
        LIVES[name](world)
        world.run()
    except Killed:
        world.bell.rung.clear()
    stored = world.parts.store.find("k")
    if stored is None:
        return
    world.stop(stored)
    world.run()
    job = world.job(stored)
    # A stop that comes when the attempt has failed already is the end of it too.
    assert job.reason in (Reason.OPERATOR, Reason.EXIT_CODE) or job.state is State.COMPLETED
    assert all(remote.over for remote in world.network.jobs.values())
    assert not alive_together(world)
    for account in (DEFAULT, SPARE):
        assert world.parts.ledger.view(account).held == 0
        settled = world.parts.providers.account(account).balance().settled
        assert world.parts.ledger.view(account).settled == settled


def test_the_lives_are_what_they_are_called() -> None:
    ends = {}
    for name, life in LIVES.items():
        world, job_id = live(life, Tripwire(), keyed)
        job = world.job(job_id)
        ends[name] = (job.state, [each.reason for each in job.earlier], job.account)
    assert ends == {
        "host_quits": (State.COMPLETED, [Reason.HOST_QUIT], DEFAULT),
        "to_another_account": (State.COMPLETED, [Reason.EXIT_CODE], SPARE),
        "delisted": (State.COMPLETED, [Reason.QUEUED_TOO_LONG], DEFAULT),
    }
