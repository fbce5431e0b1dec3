"""A log that is followed while it grows: every entry once, in order, up to the end."""

from collections.abc import Callable

import pytest

from dispatcher.domain.errors import NotPossible, UnknownJob
from dispatcher.domain.ids import JobId
from dispatcher.engine.following import follow
from tests.engine.test_dead_letters import killed
from tests.engine.test_poison import Poison
from tests.world import World, definition


def goes_on(world: World, seconds: float) -> Callable[[], None]:
    """A pause in which the world goes on; the clock is the world's."""
    return lambda: world.run_for(seconds)


@pytest.mark.parametrize("seconds", [1, 45, 4000])
def test_every_entry_comes_once_and_the_end_is_the_last(seconds: float) -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="25m"), policies={"extend": {"by": "10m"}})
    seen = list(follow(world.parts.store, job_id, goes_on(world, seconds)))
    assert seen == world.parts.store.events(job_id)
    assert seen[-1].kind == "ended"


def test_an_entry_comes_as_soon_as_it_is_there() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="25m"))
    log = follow(world.parts.store, job_id, goes_on(world, 30))
    assert next(log).kind == "enqueued"  # before anything else happened
    assert world.clock.at == world.job(job_id).created_at


def test_a_job_that_is_over_is_told_without_a_pause() -> None:
    world = World()
    job_id = world.enqueue()
    world.run()
    seen = list(follow(world.parts.store, job_id, pytest.fail))
    assert seen == world.parts.store.events(job_id)


def test_the_end_is_not_lost_to_what_comes_between_two_reads() -> None:
    """The job ends after its record was read and before its log is."""
    world = World()
    job_id = world.enqueue()
    store, load = world.parts.store, world.parts.store.load

    def load_then_end(asked: JobId) -> object:
        job = load(asked)
        world.run()
        return job

    store.load = load_then_end  # type: ignore[method-assign]
    seen = list(follow(store, job_id, pytest.fail))
    assert [event.kind for event in seen].count("ended") == 1
    assert seen == store.events(job_id)


def test_a_dead_letter_ends_it_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    poison = Poison(world, monkeypatch)
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h")
    world.run_for(120)
    killed(world, poison, job_id)
    seen = []
    with pytest.raises(NotPossible, match="dispatcher dead retry"):
        seen.extend(follow(world.parts.store, job_id, pytest.fail))


def test_a_job_that_is_forgotten_meanwhile_ends_it() -> None:
    world = World()
    job_id = world.enqueue()
    log = follow(world.parts.store, job_id, pytest.fail)
    next(log)
    world.run()
    world.clock.move(30 * 86400)
    world.parts.store.load = lambda _: None  # type: ignore[method-assign]
    assert all(event.kind != "enqueued" for event in log)


def test_an_unknown_job_is_an_error() -> None:
    with pytest.raises(UnknownJob):
        list(follow(World().parts.store, JobId("job_x"), pytest.fail))
