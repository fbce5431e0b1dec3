"""Accounts with a wrong key, or none any more: their jobs wait and say why; others' go on."""

from dataclasses import replace

import pytest

from dispatcher.domain.ids import AccountName
from dispatcher.domain.job import Job
from dispatcher.domain.view import why
from dispatcher.domain.words import State
from dispatcher.providers.accounts import Accounts
from dispatcher.simulator.fault_plan import parse_plan
from tests.engine.audit import audit, remotes
from tests.world import World, definition

DEFAULT, OTHER = AccountName("default"), AccountName("other")


def wrong_key(world: World, name: AccountName) -> None:
    """The network does not know the account's key (any more)."""
    account = world.network.accounts.of_key(f"nos_{name}")
    assert account is not None
    del world.network.accounts._by_key[f"nos_{name}"]
    world.network.accounts._by_key["nos_another"] = account


def right_key(world: World, name: AccountName) -> None:
    world.network.accounts._by_key[f"nos_{name}"] = world.network.accounts._by_key.pop("nos_another")


def without(world: World, name: AccountName) -> None:
    """Workers that were started again with settings that do not name the account."""
    others = {each: world.provider(each) for each in world.parts.providers.names() if each != name}
    world.parts = replace(world.parts, providers=Accounts(others))


def restored(world: World, *names: AccountName) -> None:
    world.parts = replace(world.parts, providers=Accounts({name: world.provider(name) for name in names}))


def test_a_wrong_key_holds_up_its_own_jobs_and_no_others() -> None:
    world = World(accounts={"default": "100", "other": "100"})
    wrong_key(world, OTHER)
    mine = world.enqueue(definition(runs_for="5m"))
    theirs = world.enqueue(definition(runs_for="6m"), account="other")
    world.run_for(86_400)
    assert world.job(mine).state is State.COMPLETED
    waiting = world.job(theirs)
    assert waiting.state is State.ENQUEUED
    assert "401" in why(waiting)
    assert len(world.kinds(theirs)) < 2000
    right_key(world, OTHER)
    world.run()
    assert world.job(theirs).state is State.COMPLETED
    audit(world)


@pytest.mark.parametrize("after", [0.0, 30.0, 545.0, 700.0])
def test_a_key_that_is_withdrawn_and_given_back_loses_no_job(after: float) -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="12m"), timeout="10m", policies={"extend": {"by": "10m"}})
    world.run_for(after)
    wrong_key(world, DEFAULT)
    world.run_for(50)
    right_key(world, DEFAULT)
    world.run()
    assert world.job(job_id).state.is_final
    audit(world)


def test_a_stop_under_a_wrong_key_says_why_and_is_sent_once_it_is_right() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="10h"), timeout="10h")
    world.run_for(60)
    wrong_key(world, DEFAULT)
    world.stop(job_id)
    world.run_for(600)
    assert world.job(job_id).state is State.STOPPING
    assert "401" in why(world.job(job_id))
    right_key(world, DEFAULT)
    mended = world.clock.at
    world.run()
    assert remotes(world, job_id)[0].ended_at <= mended + 61
    audit(world)


def enqueued(world: World) -> None:
    world.network.faults.replace(parse_plan([{"route": "markets.*", "kind": "cut"}]))


def pinning(world: World) -> None:
    world.network.faults.replace(parse_plan([{"route": "ipfs.pin", "kind": "cut"}]))


def posting(world: World) -> None:
    world.network.faults.replace(parse_plan([{"route": "jobs.list", "kind": "lose_answer"}]))


def extending(world: World) -> None:
    world.network.faults.replace(parse_plan([{"route": "jobs.extend", "kind": "lose_answer"}]))


def stopping(world: World) -> None:
    world.network.faults.replace(parse_plan([{"route": "jobs.stop", "kind": "cut"}]))


def collecting(world: World) -> None:
    world.network.faults.replace(parse_plan([{"route": "ipfs.get", "kind": "cut"}]))


def going_well(world: World) -> None:
    world.network.faults.replace([])


@pytest.mark.parametrize(
    ("trouble", "until"),
    [
        (enqueued, 5.0),
        (pinning, 5.0),
        (posting, 5.0),
        (going_well, 60.0),
        (extending, 550.0),
        (stopping, 700.0),
        (collecting, 900.0),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value),
)
def test_an_account_that_is_gone_from_the_settings_crashes_no_worker(trouble: object, until: float) -> None:
    """In every state: nothing is raised, nothing goes round in circles, and the record names the setting."""
    assert callable(trouble)
    world = World()
    trouble(world)
    job_id = world.enqueue(
        definition(runs_for="3h" if trouble is stopping else "12m"),
        timeout="10m",
        policies={"extend": {"by": "10m"}, "stop": {"after": "11m20s"} if trouble is stopping else {}},
    )
    world.run_for(until)
    before = len(world.kinds(job_id))
    assert not world.job(job_id).state.is_final
    without(world, DEFAULT)
    going_well(world)
    world.run_for(100)
    assert says_why(world.job(job_id))
    assert len(world.kinds(job_id)) - before < 20
    restored(world, DEFAULT)
    world.run()
    assert world.job(job_id).state.is_final
    audit(world)


def says_why(job: Job) -> bool:
    return "DISPATCHER_NOSANA_API_KEY" in why(job)
