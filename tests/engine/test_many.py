"""Many jobs at once: which are meant, what they can still cost, and that every one of them is stopped."""

from collections.abc import Sequence
from typing import Any

import pytest

from dispatcher.domain.errors import Bug
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.words import FollowUp, Reason, State
from dispatcher.engine.many import Choice, exposure_of, list_chosen, stop_chosen
from dispatcher.ports.dead import Listed
from dispatcher.ports.store import Exposure
from tests.world import World, definition

EVERYTHING = Choice()


def a_world() -> tuple[World, dict[str, JobId]]:
    """Jobs that run, wait and are over, of two accounts, with labels."""
    world = World(accounts={"default": "100", "poor": "0"})
    made = {
        "a": world.enqueue(definition("a", runs_for="5h"), timeout="1h", labels={"team": "a", "env": "prod"}),
        "b": world.enqueue(
            definition("b", runs_for="5h"),
            timeout="1h",
            labels={"team": "b"},
            policies={"extend": {"by": "10m"}},
        ),
        "poor": world.enqueue(definition("c"), account="poor", labels={"team": "a"}),
        "over": world.enqueue(definition("d", runs_for="1m"), timeout="2m", labels={"team": "a"}),
    }
    world.run_for(600)
    assert world.job(made["over"]).state is State.COMPLETED
    world.enqueue(definition("e"), account="poor")  # enqueued and not looked at yet
    return world, made


def names(world: World, made: dict[str, JobId], found: Sequence[Job | Listed]) -> list[str]:
    known = {job_id: name for name, job_id in made.items()}
    return [known.get(job.id, "new") for job in found]


@pytest.mark.parametrize(
    ("choice", "listed"),
    [
        (EVERYTHING, ["new", "over", "poor", "b", "a"]),
        (Choice(labels={"team": "a"}), ["over", "poor", "a"]),
        (Choice(labels={"team": "a", "env": "prod"}), ["a"]),
        (Choice(labels={"team": "A"}), []),
        (Choice(AccountName("poor")), ["new", "poor"]),
        (Choice(AccountName("poor"), {"team": "a"}), ["poor"]),
        (Choice(AccountName("nobody")), []),
        (Choice(reasons=[Reason.RUNNING]), ["b", "a"]),
        (Choice(reasons=[Reason.RUNNING, Reason.FINISHED]), ["over", "b", "a"]),
    ],
)
def test_which_jobs_are_listed(choice: Choice, listed: list[str]) -> None:
    world, made = a_world()
    store = world.parts.store
    assert names(world, made, list_chosen(store, choice, limit=50)) == listed
    assert names(world, made, list_chosen(store, choice, limit=2)) == listed[:2]
    assert names(world, made, list_chosen(store, choice, limit=2, offset=1)) == listed[1:3]
    live = [state for state in State if not state.is_final]
    expected = [name for name in listed if name != "over"]
    assert names(world, made, list_chosen(store, choice, states=live, limit=50)) == expected


def test_a_filter_looks_through_more_than_one_page() -> None:
    world = World()
    first = world.enqueue(definition("first"), labels={"n": "first"})
    for number in range(600):
        world.enqueue(definition("many"), labels={"n": str(number)})
    assert [job.id for job in list_chosen(world.parts.store, Choice(labels={"n": "first"}), limit=5)] == [
        first
    ]
    assert len(list_chosen(world.parts.store, Choice(AccountName("default")), limit=1000)) == 601


@pytest.mark.parametrize(
    ("choice", "jobs", "committed", "allowed", "unlimited"),
    [
        (EVERYTHING, 4, "0.096", "0.048", 3),  # those who wait have no price yet
        (Choice(AccountName("default")), 2, "0.096", "0.048", 1),
        (Choice(labels={"team": "a"}), 2, "0.048", "0.048", 1),
        (Choice(AccountName("default"), {"team": "a"}), 1, "0.048", "0.048", 0),
        (Choice(AccountName("nobody")), 0, "0", "0", 0),
        (Choice(labels={"team": "z"}), 0, "0", "0", 0),
    ],
)
def test_what_they_can_still_cost(
    choice: Choice, jobs: int, committed: str, allowed: str, unlimited: int
) -> None:
    world, _ = a_world()
    found: Exposure = exposure_of(world.parts, choice)
    assert (found.jobs, found.unlimited) == (jobs, unlimited)
    assert (float(found.committed), float(found.allowed)) == (float(committed), float(allowed))


def test_the_sums_of_the_store_are_those_of_the_records() -> None:
    """Once by adding up what the store keeps, once by reading every job."""
    world, _ = a_world()
    assert exposure_of(world.parts, EVERYTHING) == exposure_of(world.parts, Choice(reasons=list(Reason)))


@pytest.mark.parametrize(
    ("choice", "stopped"),
    [
        (EVERYTHING, {"a", "b", "poor", "new"}),
        (Choice(labels={"team": "a"}), {"a", "poor"}),
        (Choice(AccountName("poor")), {"poor", "new"}),
        (Choice(AccountName("default"), {"team": "b"}), {"b"}),
        (Choice(labels={"team": "z"}), set()),
    ],
)
def test_all_that_are_meant_are_stopped_and_no_other(choice: Choice, stopped: set[str]) -> None:
    world, made = a_world()

    assert stop_chosen(world.parts, choice, by="Ada") == len(stopped)
    world.run_for(120)

    over = world.parts.store.list_jobs(states=[State.STOPPED], limit=50)
    assert set(names(world, made, over)) == stopped
    assert {job.stop.by for job in over if job.stop} == ({"Ada"} if stopped else set())
    assert world.job(made["over"]).state is State.COMPLETED
    assert all(job.stop is None for job in world.live())


def test_everything_is_stopped_without_reading_a_record() -> None:
    """One record that cannot be read must not keep the others from being stopped."""
    world, _ = a_world()

    def unreadable(*_: Any) -> Any:
        raise Bug("this record cannot be read")

    world.parts.store.load_many = unreadable  # type: ignore[method-assign]
    world.parts.store.list_jobs = unreadable  # type: ignore[method-assign]
    assert stop_chosen(world.parts, EVERYTHING, by="Ada") == 4


def test_the_workers_are_rung_at_once() -> None:
    world, made = a_world()
    world.bell.rung.clear()
    stop_chosen(world.parts, Choice(labels={"env": "prod"}), by="Ada")
    assert list(world.bell.rung) == [(FollowUp.STOP, made["a"])]


def test_a_second_stop_is_harmless() -> None:
    world, made = a_world()
    stop_chosen(world.parts, EVERYTHING, by="Ada")
    stop_chosen(world.parts, EVERYTHING, by="Bob")
    world.run_for(60)
    assert stop_chosen(world.parts, EVERYTHING, by="Eve") == 0
    assert world.kinds(made["a"]).count("stop_ordered") == 1
    for job in list_chosen(world.parts.store, EVERYTHING, states=[State.STOPPED], limit=50):
        world.check_log(job.id)
