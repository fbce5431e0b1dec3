"""What is done for the next occurrence: tables for overlap, misfire and rapid ends, and properties of outages."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Ending, Job, Remote
from dispatcher.domain.schedules import Facts, Kept, ScheduleState, looked, step
from dispatcher.domain.schedules.decide import QUEUE_AT_MOST, by_hand, enqueued, refused
from dispatcher.domain.schedules.state import (
    HISTORY_AT_MOST,
    LOOK_AFTER,
    begun,
    changed,
    paused,
    resumed,
    wakes_at,
)
from dispatcher.domain.words import Phase, Reason, State
from tests.domain.test_schedule_form import schedule
from tests.store.records import new_job

T0 = 1_800_000_000.0  # 2027-01-15T08:00:00Z
HOUR = 3600.0


def kept(state: dict[str, Any] | None = None, **fields: Any) -> Kept:
    made = schedule(**{"cron": "0 * * * *", **fields})
    return Kept(made, begun(made, T0 - HOUR).model_copy(update=state or {}), 7, 9)


def job_id(number: int = 1) -> JobId:
    return JobId(f"job_{number:024x}")


def job(state: State, reason: Reason = Reason.FINISHED, *, ran: float | None = 60.0, number: int = 1) -> Job:
    made = new_job(number).job
    remote = None
    if ran is not None:
        remote = Remote(
            address="A", phase=Phase.DONE, posted_at=T0, timeout=6000, started_at=T0, ended_at=T0 + ran,
            looked_at=T0, changed_at=T0,
        )  # fmt: skip
    ending = Ending(at=T0) if state.is_final else None
    return made.model_copy(update={"state": state, "reason": reason, "remote": remote, "ending": ending})


def run(there: Kept, now: float, facts: Facts | None = None) -> tuple[list[float], Kept]:
    """Everything that is due at `now` is decided on, and what is pending becomes a job that is over at once."""
    began = list[float]()
    while (done := step(there, facts or Facts(), now)) is not None:
        state = done.state
        if state.pending is not None:
            began.append(state.pending.at)
            state = enqueued(Kept(there.schedule, state, 7, 9), job_id(len(began)), now)
            state = state.model_copy(update={"live": ()})
        there = Kept(there.schedule, state, 7, 9)
    return began, there


def test_nothing_is_due_before_its_time() -> None:
    there = kept()
    assert there.state.next_at == T0
    assert step(there, Facts(), T0 - 0.001) is None
    done = step(there, Facts(), T0)
    assert done is not None
    assert done.state.next_at == T0 + HOUR
    assert done.state.pending is not None
    assert done.state.pending.request_id == "schedule:nightly:7:2027-01-15T08:00:00Z"
    assert step(Kept(there.schedule, done.state, 7, 9), Facts(), T0 + 9 * HOUR) is None  # one at a time


def test_the_jitter_delays_and_does_not_make_late() -> None:
    there = kept(jitter="30m", misfire="skip")
    fires = there.schedule.fires_at(T0)
    assert step(there, Facts(), fires - 0.01) is None
    began, _ = run(there, fires + 30)
    assert began == [T0]
    assert wakes_at(there.schedule, there.state) == fires


@pytest.mark.parametrize(
    ("fields", "away", "began", "missed"),
    [
        # (away: hours from the first occurrence on; the last of them is late by half an hour unless said otherwise)
        ({"misfire": "skip"}, 3.5, [], 4),
        ({"misfire": "skip"}, 3.0, [3], 3),
        ({"misfire": "skip", "misfire_grace": "2h"}, 3.5, [2, 3], 2),
        ({"misfire": "once"}, 3.5, [3], 3),
        ({"misfire": "once"}, 3.0, [3], 3),
        ({"misfire": "once"}, 0.5, [0], 0),
        ({"misfire": "once", "misfire_grace": "90m"}, 3.5, [2, 3], 2),
        ({"misfire": "all"}, 3.5, [0, 1, 2, 3], 0),
        ({"misfire": "all", "up_to": 2}, 3.5, [2, 3], 2),
        ({"misfire": "all", "up_to": 2}, 3.0, [1, 2, 3], 1),
    ],
)
def test_misfires(fields: dict[str, Any], away: float, began: list[int], missed: int) -> None:
    found, there = run(kept(**fields), T0 + away * HOUR)
    assert found == [T0 + number * HOUR for number in began]
    assert (there.state.enqueued, there.state.missed) == (len(began), missed)
    entries = [entry for entry in there.state.history if entry.what == "missed"]
    assert [entry.count for entry in entries] == ([missed] if missed else [])
    assert there.state.next_at > T0 + away * HOUR


def test_whoever_looks_seldom_does_not_miss() -> None:
    there = kept(misfire="skip")
    late = T0 + 70
    assert step(there, Facts(), late, slack=60) != step(there, Facts(), late, slack=80)
    done = step(there, Facts(), late, slack=80)
    assert done is not None
    assert done.state.pending is not None


@settings(deadline=None)
@given(
    st.sampled_from(["skip", "once", "all"]),
    st.integers(1, 100),
    st.lists(st.integers(0, 40_000), min_size=1, max_size=12),
    st.sampled_from(["*/7 * * * *", "0 * * * *", "30 2 * * *"]),
)
def test_each_occurrence_is_decided_on_once(misfire: str, up_to: int, gaps: list[int], cron: str) -> None:
    """Whenever somebody looks: every occurrence until then is begun or counted as missed, and none is both."""
    there = kept(misfire=misfire, up_to=up_to, cron=cron, tz="Europe/Amsterdam")
    first, now, began = there.state.next_at, T0, list[float]()
    for gap in gaps:
        now += gap
        found, there = run(there, now)
        began += found
    due = [first] if first <= now else []
    for at in there.schedule.cadence(T0).after(first):
        if at > now:
            break
        due.append(at)
    assert began == sorted(set(began))
    assert set(began) <= set(due)
    assert there.state.enqueued == len(began)
    assert there.state.enqueued + there.state.missed == len(due)
    assert len(there.state.history) <= HISTORY_AT_MOST
    if misfire == "once" and due:
        assert began  # what was missed was made up for
        assert due[-1] - began[-1] <= 0


def test_a_long_outage_is_got_over_in_few_steps() -> None:
    there = kept(cron="* * * * *", misfire="all", up_to=3)
    now = T0 + 60 * 86_400
    steps = 0
    began = list[float]()
    while (done := step(there, Facts(), now)) is not None:
        steps += 1
        state = done.state
        if state.pending is not None:
            began.append(state.pending.at)
            state = enqueued(Kept(there.schedule, state, 7, 9), job_id(), now)
        there = Kept(there.schedule, state.model_copy(update={"live": ()}), 7, 9)
        assert steps < 100
    assert began == [now - back for back in (240, 180, 120, 60, 0)]  # three that are late, and two in time
    assert there.state.missed == 60 * 1440 + 60 - 5
    assert len(there.state.history) == 6


# --- overlap, budget --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overlap", "live", "why", "after", "replaces"),
    [
        ("skip", 0, None, 0, False),
        ("skip", 1, "is not over", 0, False),
        ("queue", 1, None, 1, False),
        ("queue", 3, None, 3, False),
        ("replace", 2, None, 2, True),
        ("queue", QUEUE_AT_MOST, "10 jobs are not over", 0, False),
        ("replace", QUEUE_AT_MOST, "10 jobs are not over", 0, False),
    ],
)
def test_overlap(overlap: str, live: int, why: str | None, after: int, replaces: bool) -> None:
    ids = tuple(job_id(number) for number in range(live))
    there = kept({"live": ids}, overlap=overlap)
    done = step(there, Facts({each: job(State.RUNNING) for each in ids}), T0)
    assert done is not None
    if why is not None:
        assert done.state.pending is None
        assert why in done.state.history[-1].why
        assert (done.state.skipped, done.state.next_at) == (1, T0 + HOUR)
        return
    assert done.state.pending is not None
    assert done.state.pending.after == ids[:after]
    assert done.state.pending.replaces is replaces or not live


@pytest.mark.parametrize("overlap", ["skip", "queue", "replace"])
def test_a_job_that_cannot_be_read_may_be_alive(overlap: str) -> None:
    there = kept({"live": (job_id(),)}, overlap=overlap)
    facts = Facts({}, frozenset({job_id()}))
    assert looked(there, facts, T0).live == (job_id(),)
    done = step(there, facts, T0)
    assert done is not None
    assert "cannot be read" in done.state.history[-1].why


@pytest.mark.parametrize(
    ("left", "needs", "runs"),
    [
        (None, None, True),
        ("0", None, False),
        ("0.5", None, True),
        ("0.5", "0.5", True),
        ("0.5", "0.6", False),
    ],
)
def test_a_budget_that_is_used_up_leaves_it_out(left: str | None, needs: str | None, runs: bool) -> None:
    there = kept({"first_hold": None if needs is None else Decimal(needs)}, budget="5/day")
    done = step(there, Facts(left=None if left is None else Decimal(left)), T0)
    assert done is not None
    assert (done.state.pending is not None) is runs
    if not runs:
        assert "the budget 5/day has $" in done.state.history[-1].why


# --- looks ------------------------------------------------------------------------------------------------


def test_a_look_notes_what_became_of_the_jobs() -> None:
    there = kept()
    began, there = run(there, T0)
    assert began == [T0]
    state = there.state.model_copy(update={"live": (job_id(1), job_id(2), job_id(3))})
    there = Kept(there.schedule, state, 7, 9)
    facts = Facts({job_id(1): job(State.COMPLETED), job_id(2): job(State.RUNNING), job_id(3): None})
    seen = looked(there, facts, T0 + 5)
    assert seen.live == (job_id(2),)
    assert seen.history[0].end == "completed (finished)"
    assert wakes_at(there.schedule, seen) == T0 + 5 + LOOK_AFTER
    assert wakes_at(there.schedule, paused(seen)) == T0 + 5 + LOOK_AFTER
    assert wakes_at(there.schedule, paused(seen.model_copy(update={"live": ()}))) is None


@pytest.mark.parametrize(
    ("ended", "before", "rapid"),
    [
        (job(State.FAILED, Reason.EXIT_CODE, ran=119), 1, 2),
        (job(State.FAILED, Reason.EXIT_CODE, ran=121), 1, 0),
        (job(State.FAILED, Reason.HOST_QUIT, ran=0), 0, 1),
        (job(State.FAILED, Reason.VANISHED, ran=None), 1, 1),
        (job(State.COMPLETED, ran=5), 1, 0),
        (job(State.STOPPED, Reason.OPERATOR, ran=5), 1, 1),
        (job(State.REJECTED, Reason.REFUSED, ran=None), 1, 1),
    ],
)
def test_rapid_ends_are_failures_at_once(ended: Job, before: int, rapid: int) -> None:
    there = kept({"live": (job_id(),), "rapid": before})
    assert looked(there, Facts({job_id(): ended}), T0).rapid == rapid


def test_rapid_ends_slow_it_down_and_then_halt_it() -> None:
    there = kept(rapid={"within": "2m", "slow_after": 2, "factor": 3, "halt_after": 4})
    began = list[int]()
    for hour in range(40):
        now = T0 + hour * HOUR
        facts = Facts({each: job(State.FAILED, Reason.EXIT_CODE) for each in there.state.live})
        there = Kept(there.schedule, looked(there, facts, now), 7, 9)
        if (done := step(there, facts, now)) is not None:
            state = done.state
            if state.pending is not None:
                began.append(hour)
                state = enqueued(Kept(there.schedule, state, 7, 9), job_id(hour), now)
            there = Kept(there.schedule, state, 7, 9)
    # Twice as planned, then every third, then every ninth occurrence; the fourth in a row is the last.
    assert began == [0, 1, 4, 13]
    assert there.state.skipped == 2 + 8
    assert there.state.halted is not None
    assert "4 jobs in a row failed within 2m" in there.state.halted
    assert "dispatcher schedule resume nightly" in there.state.halted
    assert wakes_at(there.schedule, there.state) is None
    again = resumed(there.schedule, there.state, T0 + 40.5 * HOUR)
    assert (again.halted, again.rapid, again.passed, again.next_at) == (None, 0, 0, T0 + 41 * HOUR)
    assert again.history == there.state.history


# --- changes ----------------------------------------------------------------------------------------------


def test_what_came_while_it_was_paused_is_not_made_up_for() -> None:
    there = kept()
    held = paused(there.state)
    assert step(Kept(there.schedule, held, 7, 9), Facts(), T0 + 5 * HOUR) is None
    again = resumed(there.schedule, held, T0 + 5.5 * HOUR)
    assert (again.next_at, again.missed) == (T0 + 6 * HOUR, 0)
    assert resumed(there.schedule, again, T0 + 9 * HOUR) == again  # it is active: what is due stays due


@pytest.mark.parametrize(
    ("now", "next_at"),
    [(T0 - 60, T0 + 0.5 * HOUR), (T0, T0), (T0 + 3 * HOUR, T0)],
)
def test_what_was_due_before_a_change_is_still_due(now: float, next_at: float) -> None:
    there = kept()
    other = schedule(cron="30 * * * *")
    assert changed(there.schedule, other, there.state, now).next_at == next_at


def test_a_change_of_what_is_enqueued_does_not_move_it() -> None:
    made = schedule(cron=None, every="1h")
    state = begun(made, T0)
    other = schedule(cron=None, every="1h", overlap="queue")
    assert changed(made, other, state, T0 + 1800) == state
    slower = schedule(cron=None, every="2h")
    assert changed(made, slower, state, T0 + 1800).next_at == T0 + 1800 + 2 * HOUR
    held = schedule(cron=None, every="1h", paused=True)
    assert changed(made, held, state, T0).paused
    assert not changed(held, made, paused(state), T0).paused
    # What an operator said holds until the file says something else.
    assert changed(held, schedule(cron=None, every="1h", paused=True, jitter="1m"), state, T0).paused is False


def test_an_occurrence_that_was_refused() -> None:
    there = kept()
    state = by_hand(there, "schedule:nightly:7:by-hand:x", T0 - 5)
    assert state.pending is not None
    assert (state.pending.by_hand, state.next_at) == (True, T0)
    assert wakes_at(there.schedule, state) == T0 - 5
    over: ScheduleState = refused(Kept(there.schedule, state, 7, 9), "why " * 400, T0)
    assert (over.pending, over.refused, over.history[-1].by_hand) == (None, 1, True)
    assert len(over.history[-1].why) <= 500
