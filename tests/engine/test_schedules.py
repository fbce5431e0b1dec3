"""Schedules in a whole world: ticks make jobs of occurrences, each once, whoever dies or doubles on the way."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from dispatcher.domain.budget import Scope, Window
from dispatcher.domain.errors import InvalidRequest, NotPossible, StoreUnavailable, UnknownSchedule
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.schedules import Kept, Schedule
from dispatcher.domain.schedules.decide import QUEUE_AT_MOST
from dispatcher.domain.words import Reason, State
from dispatcher.engine import timetable
from dispatcher.engine.parts import Limits, Parts
from dispatcher.engine.schedules import run_now, tick
from tests.world import MARKET, START, World, definition

HOUR = 3600.0
SCOPE = Scope("label:schedule=nightly")


def request(text: str = "hello", **simulated: Any) -> dict[str, Any]:
    return {"definition": definition(text, **simulated), "market": MARKET, "timeout": "10m"}


def schedule(**fields: Any) -> Schedule:
    asked = {"name": "nightly", "cron": "0 * * * *", "request": request(), **fields}
    return Schedule.parse({name: value for name, value in asked.items() if value is not None})


def kept(world: World, name: str = "nightly") -> Kept:
    return timetable.known(world.parts, name)


def jobs(world: World) -> list[Job]:
    found = world.parts.store.list_jobs(limit=1000)
    return sorted(found, key=lambda job: (job.created_at, job.id))


def to(world: World, at: float, step: float = 60.0) -> None:
    """Move on to `at`; somebody ticks every minute, and workers work."""
    while world.clock.at < at:
        world.run_for(min(step, at - world.clock.at))
        tick(world.parts)
    world.work()


@pytest.fixture
def world() -> World:
    return World()


def test_occurrences_become_jobs(world: World) -> None:
    assert START % HOUR == 0
    timetable.add(world.parts, schedule(request={**request(), "labels": {"team": "a"}}))
    assert tick(world.parts).enqueued == ()
    to(world, START + 3 * HOUR)
    to(world, START + 3.5 * HOUR)
    found = jobs(world)
    assert [job.spec.request_id for job in found] == [
        f"schedule:nightly:1:2027-01-15T{hour:02}:00:00Z" for hour in (9, 10, 11)
    ]
    assert {job.state for job in found} == {State.COMPLETED}
    assert {tuple(sorted(job.spec.labels.items())) for job in found} == {
        (("schedule", "nightly"), ("team", "a"))
    }
    state = kept(world).state
    assert [entry.end for entry in state.history] == ["completed (finished)"] * 3
    assert (state.enqueued, state.live, state.next_at) == (3, (), START + 4 * HOUR)
    assert world.parts.schedules.last_tick() == START + 3.5 * HOUR


def test_ten_ticks_at_once_are_one(world: World) -> None:
    timetable.add(world.parts, schedule())
    world.clock.move(HOUR)
    done = [tick(world.parts) for _ in range(10)]
    assert [len(each.enqueued) for each in done] == [1] + [0] * 9
    assert len(jobs(world)) == 1


# --- overlap ----------------------------------------------------------------------------------------------


def long(overlap: str) -> Schedule:
    asked = {**request(runs_for="150m"), "timeout": "4h"}
    return schedule(overlap=overlap, request=asked)


def test_an_occurrence_is_left_out_while_the_job_before_is_not_over(world: World) -> None:
    timetable.add(world.parts, long("skip"))
    to(world, START + 4.5 * HOUR)
    history = kept(world).state.history
    assert [(entry.what, entry.count) for entry in history] == [
        ("enqueued", 1),
        ("skipped", 2),
        ("enqueued", 1),
    ]
    assert history[1].why == f"{history[0].job} is not over"
    assert len(jobs(world)) == 2


def test_an_occurrence_is_queued_after_the_jobs_before(world: World) -> None:
    timetable.add(world.parts, long("queue"))
    to(world, START + 2.1 * HOUR)
    first, second = jobs(world)
    assert [(each.id, each.on) for each in second.spec.after] == [(first.id, "any")]
    assert first.stop is None
    assert (second.reason, second.posts) == (Reason.AWAITING_JOBS, 0)
    to(world, START + 9.1 * HOUR)
    found = jobs(world)
    assert [job.state for job in found[:3]] == [State.COMPLETED] * 3
    # One after another, and no more of them wait than may.
    times = [
        (job.remote.started_at, job.remote.ended_at) for job in found if job.remote and job.remote.ended_at
    ]
    assert all(early <= late for (_, early), (late, _) in pairwise(times))  # type: ignore[operator]
    assert len(kept(world).state.live) <= QUEUE_AT_MOST


def test_the_job_before_is_replaced(world: World) -> None:
    timetable.add(world.parts, long("replace"))
    to(world, START + 2.1 * HOUR)
    first, second = jobs(world)
    assert [(each.id, each.on) for each in second.spec.after] == [(first.id, "any")]
    assert first.stop is not None
    assert first.stop.by == "schedule nightly"
    assert (first.state, second.state) == (State.STOPPED, State.RUNNING)


# --- named sets of policies -------------------------------------------------------------------------------


def test_a_named_set_is_that_of_each_occurrence(world: World) -> None:
    asked = {**request(), "policy": "cheap", "policies": {"stop": {"max_cost": None, "after": "5m"}}}
    with pytest.raises(InvalidRequest) as caught:
        timetable.add(world.parts, schedule(request=asked))
    assert [fault.path for fault in caught.value.faults] == ["request.policy"]
    first = replace(world.parts, policy_sets={"cheap": {"stop": {"max_cost": "1"}, "poll": {"every": "1m"}}})
    made = timetable.add(first, schedule(request=asked))
    assert timetable.add(first, schedule(request=asked)) == made
    other = replace(world.parts, policy_sets={"cheap": {"poll": {"every": "2m"}}})
    for parts in (first, other, world.parts):
        world.clock.move(HOUR)
        tick(parts)
        world.run()
    one, two = (job.spec for job in jobs(world))
    assert (one.policy, one.policies.stop.max_cost, one.policies.stop.after) == (
        "cheap",
        None,
        two.policies.stop.after,
    )
    assert [each.policies.poll.every.total_seconds() for each in (one, two)] == [60, 120]
    state = kept(world).state
    assert (state.refused, state.pending) == (1, None)
    assert "cheap" in state.history[-1].why


# --- misfires, failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "hours", "missed"),
    [({"misfire": "skip"}, [], 5), ({}, [5], 4), ({"misfire": "all", "up_to": 3}, [3, 4, 5], 2)],
)
def test_nobody_was_there(world: World, fields: dict[str, Any], hours: list[int], missed: int) -> None:
    timetable.add(world.parts, schedule(overlap="queue", **fields))
    world.clock.move(5.5 * HOUR)
    tick(world.parts)
    assert [job.spec.request_id for job in jobs(world)] == [
        kept(world).request_id(START + hour * HOUR) for hour in hours
    ]
    state = kept(world).state
    assert (state.missed, state.next_at) == (missed, START + 6 * HOUR)


def test_jobs_that_fail_at_once_halt_it(world: World) -> None:
    asked = request(exit_code=1, runs_for="30s")
    timetable.add(world.parts, schedule(request=asked, rapid={"slow_after": 1, "factor": 2, "halt_after": 3}))
    to(world, START + 12 * HOUR, step=300)
    state = kept(world).state
    assert [entry.what[0] for entry in state.history] == ["e", "s", "e", "s", "e"]
    assert state.halted is not None
    assert len(jobs(world)) == 3
    timetable.resume(world.parts, "nightly")
    to(world, START + 13.1 * HOUR)
    assert len(jobs(world)) == 4


def test_what_cannot_be_enqueued_is_noted_and_the_next_is_tried(world: World) -> None:
    timetable.add(world.parts, schedule())
    secretive = replace(world.parts, own_secrets=("echo hello",))
    world.clock.move(HOUR)
    assert tick(secretive).failed == ()
    state = kept(world).state
    assert (state.refused, state.pending, state.next_at) == (1, None, START + 2 * HOUR)
    assert "secret" in state.history[0].why
    assert "echo hello" not in state.history[0].why
    world.clock.move(HOUR)
    tick(world.parts)
    assert len(jobs(world)) == 1


def test_while_no_more_jobs_are_kept_it_waits_and_then_gives_up(world: World) -> None:
    timetable.add(world.parts, schedule(misfire_grace="5m"))
    full = replace(world.parts, limits=Limits(jobs=0))
    world.clock.move(HOUR)
    tick(full)
    tick(full)
    assert kept(world).state.pending is not None
    world.clock.move(290)
    tick(world.parts)
    assert [job.spec.request_id for job in jobs(world)] == [kept(world).request_id(START + HOUR)]
    full = replace(world.parts, limits=Limits(jobs=1))
    to(world, START + 2 * HOUR - 60)
    world.clock.at = START + 2 * HOUR
    for late in (0, 301):
        world.clock.at = START + 2 * HOUR + late
        tick(full)
    state = kept(world).state
    assert (state.pending, state.refused) == (None, 1)
    assert "1 jobs are kept" in state.history[-1].why


def test_one_schedule_that_fails_does_not_keep_the_others_waiting(world: World) -> None:
    timetable.add(world.parts, schedule(name="a"))
    timetable.add(world.parts, schedule(name="b"))
    world.clock.move(HOUR)
    store: Any = world.parts.schedules
    whole = store.get
    store.get = lambda name: 1 / 0 if name == "a" else whole(name)
    done = tick(world.parts)
    assert (done.failed, len(done.enqueued)) == (("a",), 1)


# --- budgets ----------------------------------------------------------------------------------------------


def use(world: World) -> list[tuple[str, str, str]]:
    uses = world.parts.ledger.budgets(now=world.clock.now())
    return [(each.budget.scope, each.budget.window.value, f"{each.budget.limit:.0f}") for each in uses]


def test_a_budget_comes_changes_and_goes_with_the_schedule(world: World) -> None:
    timetable.add(world.parts, schedule(budget="5/day"))
    assert use(world) == [(SCOPE, "day", "5")]
    timetable.add(world.parts, schedule(budget="9/month"), replace=True)
    assert use(world) == [(SCOPE, "month", "9")]
    world.parts.ledger.remove_budget(SCOPE, Window.MONTH)
    world.clock.move(HOUR)
    tick(world.parts)
    assert use(world) == [(SCOPE, "month", "9")]  # a limit that was set holds as long as the schedule
    timetable.remove(world.parts, "nightly")
    assert use(world) == []


def test_while_the_budget_is_used_up_occurrences_are_left_out(world: World) -> None:
    # A job holds 0.008 for its 10 minutes, and costs half of it.
    timetable.add(world.parts, schedule(budget="0.01/day"))
    to(world, START + 4.5 * HOUR)
    history = kept(world).state.history
    assert [(entry.what, entry.count) for entry in history] == [("enqueued", 1), ("skipped", 3)]
    assert history[1].why == "the budget 0.01/day has $0.006 left, a job needs $0.008"
    midnight = START + 16 * HOUR
    to(world, midnight + 60, step=1800)
    assert kept(world).state.history[-1].what == "enqueued"


# --- changes ----------------------------------------------------------------------------------------------


def test_what_is_there_already(world: World) -> None:
    made = timetable.add(world.parts, schedule())
    assert timetable.add(world.parts, schedule()) == made
    with pytest.raises(NotPossible, match="--replace"):
        timetable.add(world.parts, schedule(overlap="queue"))
    to(world, START + 1.5 * HOUR)
    changed = timetable.add(world.parts, schedule(overlap="queue"), replace=True)
    assert (changed.generation, changed.state.enqueued) == (made.generation, 1)
    assert changed.schedule.overlap == "queue"


def test_a_request_that_enqueue_would_refuse_is_refused(world: World) -> None:
    parts = replace(world.parts, own_secrets=("echo hello",))
    with pytest.raises(InvalidRequest) as caught:
        timetable.add(parts, schedule())
    assert [fault.path for fault in caught.value.faults] == ["request.definition.ops[0].args.cmd"]
    assert world.parts.schedules.names() == []


def test_paused_and_resumed(world: World) -> None:
    timetable.add(world.parts, schedule())
    timetable.pause(world.parts, "nightly")
    to(world, START + 3.5 * HOUR)
    assert jobs(world) == []
    timetable.resume(world.parts, "nightly")
    to(world, START + 4.1 * HOUR)
    assert [job.spec.request_id for job in jobs(world)] == [kept(world).request_id(START + 4 * HOUR)]
    for change in (timetable.pause, timetable.resume, timetable.remove, run_now):
        with pytest.raises(UnknownSchedule):
            change(world.parts, "other")


def test_removed_and_added_again_it_is_another(world: World) -> None:
    timetable.add(world.parts, schedule())
    world.clock.move(HOUR)
    tick(world.parts)
    timetable.remove(world.parts, "nightly")
    world.clock.at = START + HOUR - 5  # by the clock of a machine that is behind
    timetable.add(world.parts, schedule(request=request("something else")))
    world.clock.at = START + HOUR
    tick(world.parts)
    assert len({job.fingerprint for job in jobs(world)}) == 2
    assert kept(world).state.refused == 0


def test_by_hand(world: World) -> None:
    timetable.add(world.parts, long("skip"))
    timetable.pause(world.parts, "nightly")
    first = run_now(world.parts, "nightly")
    world.run_for(60)
    assert world.job(first).state is State.RUNNING
    with pytest.raises(NotPossible, match=f"{first} is not over"):
        run_now(world.parts, "nightly")
    timetable.resume(world.parts, "nightly")
    to(world, START + 1.1 * HOUR)
    entries = kept(world).state.history
    assert [(entry.what, entry.by_hand) for entry in entries] == [("enqueued", True), ("skipped", False)]
    world.stop(first)
    world.run_for(120)
    second = run_now(world.parts, "nightly")
    assert second != first
    assert world.job(second).spec.request_id != world.job(first).spec.request_id


def test_by_hand_while_no_more_jobs_are_kept(world: World) -> None:
    timetable.add(world.parts, schedule())
    full = replace(world.parts, limits=Limits(jobs=0))
    with pytest.raises(NotPossible, match="no more jobs"):
        run_now(full, "nightly")


# --- the settings' file -----------------------------------------------------------------------------------


def test_the_store_keeps_in_step_with_the_file(world: World) -> None:
    written: list[Schedule] | None = [schedule(name="a"), schedule(name="b")]
    parts = replace(world.parts, written_schedules=lambda: written)
    timetable.add(world.parts, schedule(name="mine"))
    tick(parts)
    assert world.parts.schedules.names() == ["a", "b", "mine"]
    to(world, START + 1.5 * HOUR)
    before = kept(world, "a")
    tick(parts)
    assert kept(world, "a") == before  # nothing is written where nothing changed
    written = [schedule(name="a", overlap="queue"), schedule(name="mine")]
    done = timetable.sync(world.parts, written)
    assert (done.added, done.changed, done.removed, list(done.refused)) == ([], ["a"], ["b"], ["mine"])
    after = kept(world, "a")
    assert (after.schedule.overlap, after.state.enqueued, after.generation) == ("queue", 1, before.generation)
    assert (kept(world, "mine").source, after.source) == ("store", "settings")
    with pytest.raises(NotPossible, match="settings' file"):
        timetable.remove(world.parts, "a")
    with pytest.raises(NotPossible, match="settings' file"):
        timetable.add(world.parts, schedule(name="a"), replace=True)
    timetable.pause(world.parts, "a")
    tick(parts)
    assert kept(world, "a").state.paused
    written = None
    tick(parts)
    assert world.parts.schedules.names() == ["a", "mine"]


def test_a_file_that_is_wrong_stops_nothing(world: World) -> None:
    timetable.add(world.parts, schedule())

    def broken() -> list[Schedule]:
        raise InvalidRequest([])

    world.clock.move(HOUR)
    assert len(tick(replace(world.parts, written_schedules=broken)).enqueued) == 1


# --- whoever dies on the way ------------------------------------------------------------------------------


class Died(BaseException):
    """The process is gone."""


class Mortal:
    """Passes calls on; dies before or after the `nth` one of all that share `calls`."""

    def __init__(self, inner: Any, calls: list[str], nth: int, *, after: bool) -> None:
        self._inner, self._calls, self._nth, self._after = inner, calls, nth, after

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        def passed_on(*args: Any, **options: Any) -> Any:
            self._calls.append(name)
            mine = len(self._calls) == self._nth
            if mine and not self._after:
                raise Died
            answer = call(*args, **options)
            if mine:
                raise Died
            return answer

        return passed_on


def mortal(parts: Parts, nth: int, *, after: bool) -> Parts:
    calls: list[str] = []
    names = ("store", "schedules", "ledger", "waker")
    return replace(parts, **{name: Mortal(getattr(parts, name), calls, nth, after=after) for name in names})


def scenario(overlap: str) -> World:
    """A job of the schedule runs, and the next occurrence is due."""
    world = World()
    timetable.add(
        world.parts,
        schedule(overlap=overlap, budget="5/day", request=request(runs_for="150m") | {"timeout": "4h"}),
    )
    to(world, START + HOUR)
    world.run_for(60)
    world.clock.at = START + 2 * HOUR
    world.work()
    return world


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("overlap", ["skip", "queue", "replace"])
def test_a_tick_that_dies_anywhere_is_made_up_for(overlap: str, after: bool) -> None:
    """Before and after each call that leaves the engine: the next tick leads to the same, and nothing is doubled."""
    for nth in range(1, 200):
        world = scenario(overlap)
        try:
            tick(mortal(world.parts, nth, after=after))
        except Died:
            pass
        else:
            assert nth > 6
            break
        world.clock.move(10)
        tick(world.parts)
        tick(world.parts)
        found, state = jobs(world), kept(world).state
        assert len(found) == (1 if overlap == "skip" else 2)
        assert [entry.what for entry in state.history] == [
            "enqueued",
            "skipped" if overlap == "skip" else "enqueued",
        ]
        assert (state.pending, state.next_at) == (None, START + 3 * HOUR)
        assert state.live == tuple(job.id for job in found)
        world.work()
        assert (world.job(found[0].id).stop is not None) is (overlap == "replace")
    else:
        raise AssertionError("the tick never came through")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("change", ["change", "pause", "remove and add"])
def test_a_change_after_a_tick_that_died_doubles_nothing(change: str, after: bool) -> None:
    for nth in range(1, 200):
        world = scenario("queue")
        try:
            tick(mortal(world.parts, nth, after=after))
        except Died:
            pass
        else:
            break
        other = schedule(cron="30 * * * *", overlap="queue", request=request("another"))
        match change:
            case "change":
                timetable.add(world.parts, other, replace=True)
            case "pause":
                timetable.pause(world.parts, "nightly")
            case _:
                timetable.remove(world.parts, "nightly")
                timetable.add(world.parts, other)
        tick(world.parts)
        tick(world.parts)
        ids = [job.spec.request_id for job in jobs(world)]
        assert len(ids) == len(set(ids)) <= 2
        state = kept(world).state
        assert state.pending is None
        if change == "change":
            assert len(ids) == 2
            assert state.live == tuple(job.id for job in jobs(world))


@pytest.mark.parametrize("after", [False, True])
def test_a_run_by_hand_that_dies_is_finished_once(after: bool) -> None:
    for nth in range(1, 200):
        world = World()
        timetable.add(world.parts, schedule())
        try:
            run_now(mortal(world.parts, nth, after=after), "nightly")
        except Died:
            pass
        else:
            break
        tick(world.parts)
        tick(world.parts)
        state = kept(world).state
        assert state.pending is None
        assert len(jobs(world)) == state.enqueued <= 1
        assert state.live == tuple(job.id for job in jobs(world))


def test_what_may_be_forgotten_already_is_not_enqueued_again() -> None:
    """A tick died after it enqueued; nobody ticked until long after the job was over and forgotten."""
    world = World()
    timetable.add(world.parts, schedule())
    world.clock.move(HOUR)
    calls = 0
    for nth in range(1, 200):
        try:
            tick(mortal(world.parts, nth, after=True))
        except Died:
            if jobs(world) and kept(world).state.pending is not None:
                calls = nth
                break
    assert calls
    world.run()
    world.run_for(world.parts.timing.retention + 60)
    assert jobs(world) == []
    world.enqueue()  # what is over is forgotten when something else ends
    tick(world.parts)
    mine = [job for job in jobs(world) if job.spec.request_id == kept(world).request_id(START + HOUR)]
    assert mine == []
    assert kept(world).state.history[0].what == "refused"


def test_a_job_that_was_enqueued_is_noted_whatever_its_request_is_worth_by_now() -> None:
    """A tick died after it enqueued; what the schedule asks for is refused since."""
    for nth in range(1, 200):
        world = World()
        timetable.add(world.parts, schedule())
        world.clock.move(HOUR)
        try:
            tick(mortal(world.parts, nth, after=True))
        except Died:
            if not jobs(world):
                continue
        else:
            break
        tick(replace(world.parts, own_secrets=("echo hello",)))
        state = kept(world).state
        assert (state.enqueued, state.refused, state.live) == (1, 0, (jobs(world)[0].id,))


def test_the_store_is_away() -> None:
    world = World()
    timetable.add(world.parts, schedule())
    world.clock.move(HOUR)
    store: Any = world.parts.store
    whole = store.add

    def away(_: object) -> None:
        raise StoreUnavailable("gone")

    store.add = away
    with pytest.raises(StoreUnavailable):
        tick(world.parts)
    store.add = whole
    world.clock.move(2 * HOUR)
    job_ids: tuple[JobId, ...] = tick(world.parts).enqueued
    # The one that was begun, and of those that were missed meanwhile the one that is due now.
    assert len(job_ids) == 1
    assert kept(world).state.history[0].at == START + HOUR
