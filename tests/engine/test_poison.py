"""Turns that raise: tried again at a pace, then put aside; and nothing is lost, doubled or paid twice by it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from dispatcher.domain import actions as act
from dispatcher.domain.errors import Bug, NotPossible, StoreUnavailable
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.words import Reason, State
from dispatcher.engine import advance as advancing
from dispatcher.engine import dead
from dispatcher.engine.parts import Timing
from dispatcher.simulator.fault_plan import parse_plan
from tests.engine.audit import audit, remotes
from tests.world import World, definition

TRIES = Timing().crashes_at_most


class Poisoned(Exception):
    """A bug."""


class Poison:
    """Raises in the turns of one job: at an action, before or after it is done, so many times."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.raised: list[float] = []
        self.left = 0
        self._job: JobId | None = None
        self._matches: Callable[[Job, Any], bool] = lambda job, action: True
        self._after = False
        plain = advancing.perform

        def perform(parts: Any, job: Job, action: Any, **known: Any) -> Any:
            here = self.left > 0 and job.id == self._job and self._matches(job, action)
            if here and not self._after:
                self._raise()
            performed = plain(parts, job, action, **known)
            if here:
                self._raise()
            return performed

        monkeypatch.setattr(advancing, "perform", perform)

    def put(
        self, job: JobId, matches: Callable[[Job, Any], bool], *, times: int, after: bool = False
    ) -> None:
        self._job, self._matches, self.left, self._after = job, matches, times, after

    def _raise(self) -> None:
        self.left -= 1
        self.raised.append(self.world.clock.at)
        raise Poisoned("api_key=nos_abcdefghij0123456789")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def poison(world: World, monkeypatch: pytest.MonkeyPatch) -> Poison:
    return Poison(world, monkeypatch)


@contextmanager
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def run_on(world: World) -> None:
    """Work until nothing is due, whatever is raised on the way."""
    while True:
        try:
            world.run()
        except Poisoned:
            continue
        return


def is_dead(world: World, job_id: JobId) -> bool:
    trouble = world.parts.store.trouble(job_id)
    return trouble is not None and trouble.dead


def long_job(world: World) -> JobId:
    """It is posted, extended, stopped by its policy: it meets every action but those of refusals."""
    return world.enqueue(
        definition(runs_for="3h"),
        timeout="10m",
        policies={"extend": {"by": "10m"}, "stop": {"after": "15m"}},
    )


def sends(operation: str) -> Callable[[Job, Any], bool]:
    return lambda job, action: isinstance(action, act.Send) and f":{operation}:" in action.key


def at(kind: type) -> Callable[[Job, Any], bool]:
    return lambda job, action: isinstance(action, kind)


PLACES: dict[str, Callable[[Job, Any], bool]] = {
    "credit": at(act.HoldCredit),
    "pin": at(act.Pin),
    "begin": at(act.Begin),
    "post": sends("post"),
    "extend": sends("extend"),
    "look": at(act.Look),
    "order_stop": at(act.OrderStop),
    "stop": sends("stop"),
    "collect": at(act.Collect),
    **{
        str(state): (lambda job, action, state=state: job.state is state)
        for state in State
        if not state.is_final
    },
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", PLACES)
def test_a_job_with_a_bug_is_put_aside_and_goes_on_once_it_is_mended(
    world: World, poison: Poison, place: str, after: bool
) -> None:
    job_id = long_job(world)
    healthy = world.enqueue(definition(runs_for="1h"), timeout="2h")
    poison.put(job_id, PLACES[place], times=10**6, after=after)

    with logged() as lines:
        run_on(world)

    assert len(poison.raised) == TRIES
    pauses = [round(two - one, 6) for one, two in zip(poison.raised, poison.raised[1:], strict=False)]
    assert pauses == [2, 4, 8, 16]
    letter = world.parts.store.trouble(job_id)
    assert letter is not None
    assert (letter.dead, letter.crashes, letter.at) == (True, TRIES, poison.raised[-1])
    assert letter.reason == "Poisoned: api_key=nos_abcdefghij0123456789"
    assert "Traceback" in letter.traceback
    assert "in perform" in letter.traceback
    before = world.job(job_id)
    assert not before.state.is_final
    world.check_log(job_id)
    assert world.parts.store.next_due(job_id) is None
    assert world.job(healthy).state is State.COMPLETED
    deaths = [line for line in lines if line["event"] == "job_dead"]
    assert [(line["job"], line["log_level"], line["crashes"]) for line in deaths] == [
        (job_id, "error", TRIES)
    ]
    world.bell.ring(None, [job_id])  # type: ignore[arg-type] # a late message
    world.work()
    assert world.job(job_id) == before

    poison.left = 0
    assert dead.retry(world.parts, [job_id]) == [job_id]
    world.run()

    assert world.job(job_id).state.is_final
    assert world.parts.store.trouble(job_id) is None
    assert len(remotes(world, job_id)) <= 1
    assert not world.network.ledger.duplicates
    if place != "collect" and remotes(world, job_id):
        audit(world)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("times", [1, TRIES - 1])
def test_a_bug_that_passes_changes_nothing_about_the_end(
    world: World, poison: Poison, place: str, times: int
) -> None:
    job_id = long_job(world)
    poison.put(job_id, PLACES[place], times=times, after=True)
    run_on(world)
    assert len(poison.raised) == times
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.STOP_AFTER)
    audit(world)


def test_turns_that_end_well_begin_the_count_again(world: World, poison: Poison) -> None:
    """A look that fails now and then is no poison, however long the job lives."""
    job_id = world.enqueue(definition(runs_for="9h"), timeout="10h")
    looks = 0

    def now_and_then(job: Job, action: Any) -> bool:
        nonlocal looks
        looks += isinstance(action, act.Look)
        return isinstance(action, act.Look) and looks % 4 != 0

    poison.put(job_id, now_and_then, times=10**6)
    run_on(world)
    assert len(poison.raised) > 3 * TRIES
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_waiting_is_no_crash(world: World) -> None:
    world = World(accounts={"default": "0"})
    job_id = world.enqueue()
    world.run_for(86_400)
    assert world.job(job_id).reason is Reason.AWAITING_CREDIT
    assert world.parts.store.trouble(job_id) is None
    world.credit("default", "10")
    world.run()
    audit(world)


def test_messages_that_come_again_do_not_use_up_the_tries(world: World, poison: Poison) -> None:
    job_id = world.enqueue()
    poison.put(job_id, at(act.HoldCredit), times=10**6)
    for _ in range(50):
        try:
            advancing.advance(world.parts, job_id)
        except Poisoned:
            continue
    assert len(poison.raised) == 1


def test_a_store_that_is_away_is_no_crash_of_the_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = world.enqueue()
    plain = type(world.parts.store).save

    def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("away")

    for _ in range(TRIES + 1):
        monkeypatch.setattr(type(world.parts.store), "save", away)
        with pytest.raises(StoreUnavailable):
            advancing.advance(world.parts, job_id)
        world.clock.move(31)
    assert world.parts.store.trouble(job_id) is None
    monkeypatch.setattr(type(world.parts.store), "save", plain)
    world.run()
    audit(world)


def test_a_crash_that_cannot_be_noted_still_says_what_it_was(
    world: World, poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = world.enqueue()
    poison.put(job_id, at(act.HoldCredit), times=1)

    def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("away")

    monkeypatch.setattr(type(world.parts.store), "crashed", away)
    with pytest.raises(Poisoned):
        advancing.advance(world.parts, job_id)
    world.run()
    audit(world)


def test_a_refusal_soon_after_a_crash_is_not_believed_of_a_post_that_may_have_landed(
    world: World, poison: Poison
) -> None:
    """The crash is followed by another try within seconds: nobody knows then that the first one landed."""
    job_id = world.enqueue(definition(runs_for="5m"))
    poison.put(job_id, sends("post"), times=1, after=True)
    with pytest.raises(Poisoned):
        world.work()
    assert len(remotes(world, job_id)) == 1
    world.network.faults.replace(
        parse_plan([{"route": "jobs.list", "kind": "status", "status": 403, "nth": [1]}])
    )
    world.run()
    assert "call_undecided" in world.kinds(job_id)
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


# --- stops ------------------------------------------------------------------------------------------------


def running_dead_letter(world: World, poison: Poison, **request: Any) -> JobId:
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h", **request)
    world.run_for(120)
    assert world.job(job_id).state is State.RUNNING
    poison.put(job_id, lambda job, action: True, times=TRIES)
    run_on(world)
    assert is_dead(world, job_id)
    return job_id


def test_a_stop_brings_a_dead_letter_back(world: World, poison: Poison) -> None:
    job_id = running_dead_letter(world, poison)
    world.stop(job_id)
    world.run()
    assert (world.job(job_id).state, world.job(job_id).reason) == (State.STOPPED, Reason.OPERATOR)
    audit(world)


def test_a_stop_that_crashes_too_is_kept_for_the_next_try(world: World, poison: Poison) -> None:
    job_id = running_dead_letter(world, poison)
    poison.left = 10**6
    world.stop(job_id)
    run_on(world)
    assert is_dead(world, job_id)
    assert len(poison.raised) == 2 * TRIES
    poison.left = 0
    dead.retry(world.parts, [job_id])
    world.run()
    assert world.job(job_id).reason is Reason.OPERATOR
    audit(world)


def test_a_stop_that_comes_in_during_the_last_try_is_not_lost(world: World, poison: Poison) -> None:
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h")
    world.run_for(120)

    def stopped_meanwhile(job: Job, action: Any) -> bool:
        if len(poison.raised) == TRIES - 1:
            world.stop(job_id)
        return True

    poison.put(job_id, stopped_meanwhile, times=TRIES)
    run_on(world)
    assert not is_dead(world, job_id)
    assert world.job(job_id).reason is Reason.OPERATOR
    audit(world)


def test_a_dead_letter_is_tried_again_when_its_stop_falls_due(world: World, poison: Poison) -> None:
    job_id = running_dead_letter(world, poison, policies={"stop": {"after": "20m"}})
    remote = world.job(job_id).remote
    assert remote is not None
    assert remote.started_at is not None
    while world.job(job_id).state is State.RUNNING:
        world.clock.move(30)
        woken = dead.rescue(world.parts)
        assert not woken or world.clock.at >= remote.started_at + 1200
        world.work()
    assert world.clock.at <= remote.started_at + 1230
    world.run()
    assert world.job(job_id).reason is Reason.STOP_AFTER
    audit(world)


def test_a_stop_is_not_given_up_however_often_it_crashes(world: World, poison: Poison) -> None:
    job_id = running_dead_letter(world, poison)
    poison.left = 3 * TRIES
    world.stop(job_id)
    asked = world.clock.at
    while not world.job(job_id).state.is_final:
        run_on(world)
        world.clock.move(30)
        dead.rescue(world.parts)
    assert world.job(job_id).reason is Reason.OPERATOR
    assert len(poison.raised) == 4 * TRIES
    assert world.clock.at - asked < 3 * 420
    audit(world)


def test_a_dead_letter_without_a_stop_is_left_alone(world: World, poison: Poison) -> None:
    job_id = running_dead_letter(world, poison)
    world.clock.move(1000)
    assert dead.rescue(world.parts) == []
    assert is_dead(world, job_id)


def test_a_dead_letter_is_not_extended(world: World, poison: Poison) -> None:
    job_id = running_dead_letter(world, poison)
    with pytest.raises(NotPossible, match="dispatcher dead retry"):
        world.extend(job_id, 600)


# --- workers that die -------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def killer(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], bool]], None]:
    """Kills every worker at an action."""
    plain = advancing.perform
    kills: list[Callable[[Any], bool]] = [lambda action: False]

    def perform(parts: Any, job: Job, action: Any, **known: Any) -> Any:
        if kills[-1](action):
            raise Killed
        return plain(parts, job, action, **known)

    monkeypatch.setattr(advancing, "perform", perform)
    return kills.append


def run_through_kills(world: World, until: Callable[[], bool], most: int = 200) -> int:
    kills = 0
    while not until():
        try:
            world.work()
            if not world.leap():
                break
        except Killed:
            world.bell.rung.clear()
            kills += 1
        assert kills < most
    return kills


def test_a_job_that_kills_every_worker_is_put_aside(world: World, killer: Any) -> None:
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h")
    world.run_for(120)
    killer(lambda action: isinstance(action, act.Look))
    with logged() as lines:
        kills = run_through_kills(world, lambda: is_dead(world, job_id))
    assert kills == world.parts.timing.lapses_at_most == 20
    letter = world.parts.store.trouble(job_id)
    assert letter is not None
    assert letter.reason == "its worker died or hung 20 times in a row"
    assert [line["event"] for line in lines] == ["job_dead"]
    killer(lambda action: False)
    world.stop(job_id)
    world.run()
    audit(world)


def test_kills_with_progress_in_between_are_a_bad_day_and_no_poison(world: World, killer: Any) -> None:
    """Workers die before every call but one in ten: the job gets on, and must not be put aside."""
    job_id = world.enqueue(definition(runs_for="50m"), timeout="10m", policies={"extend": {"by": "2m"}})
    seen = 0

    def nine_in_ten(action: Any) -> bool:
        nonlocal seen
        seen += 1
        return seen % 10 != 0

    killer(nine_in_ten)
    kills = run_through_kills(world, lambda: world.job(job_id).state.is_final, most=2000)
    assert kills > 3 * world.parts.timing.lapses_at_most
    assert not is_dead(world, job_id)


def test_a_pause_that_outlasts_the_lease_counts_like_a_death(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h")
    world.run_for(120)
    plain = advancing.perform

    def paused(*args: Any, **known: Any) -> Any:
        performed = plain(*args, **known)
        world.clock.move(31)
        return performed

    monkeypatch.setattr(advancing, "perform", paused)
    claims = 0
    while not is_dead(world, job_id):
        claims += advancing.advance(world.parts, job_id) is None
        world.clock.move(31)
        assert claims < 100
    assert claims == 21  # the last one finds that there were twenty
    monkeypatch.setattr(advancing, "perform", plain)
    dead.retry_all(world.parts)
    world.run()
    audit(world)


def test_a_bug_in_closing_the_books_is_put_aside_and_mended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = world.enqueue(definition(runs_for="5m"))
    plain = type(world.parts.ledger).settle

    def broken(*_: Any) -> None:
        raise Bug("the books")

    monkeypatch.setattr(type(world.parts.ledger), "settle", broken)
    for _ in range(100):
        try:
            world.run()
        except Bug:
            continue
        break
    assert is_dead(world, job_id)
    assert world.job(job_id).state is State.COMPLETED
    monkeypatch.setattr(type(world.parts.ledger), "settle", plain)
    dropped = dead.drop(world.parts, job_id, by="tester")
    assert dropped is not None
    assert dropped.state is State.COMPLETED
    audit(world)
