"""How a schedule stands: what comes next, which of its jobs are not over, what became of its occurrences."""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from dispatcher.domain.ids import JobId
from dispatcher.domain.money import Usd
from dispatcher.domain.schedules.schedule import Schedule
from dispatcher.domain.view import timestamp

HISTORY_AT_MOST: Final = 50

LOOK_AFTER: Final = 600.0
"""Seconds after which the jobs of a schedule that are not over are looked at, if no occurrence comes before."""

Source = Literal["store", "settings"]
"""Who says what a schedule is: whoever added it, or the settings' file."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Occurred(_Record):
    """What became of an occurrence. Of several that were left out together, `at` is the last, `count` how many."""

    at: float
    noted_at: float
    what: Literal["enqueued", "skipped", "missed", "refused"]
    why: str = ""
    count: int = 1
    job: JobId | None = None
    by_hand: bool = False
    end: str | None = None
    """The job's state and reason, once it was seen to be over."""

    def goes_with(self, before: "Occurred") -> bool:
        """Both were left out for the same reason."""
        return self.what in ("skipped", "missed") and (self.what, self.why) == (before.what, before.why)


class Pending(_Record):
    """An occurrence that was decided on and is about to be enqueued: written down before, so that whoever finds it
    does the very same."""

    at: float
    request_id: str
    decided_at: float
    after: tuple[JobId, ...] = ()
    """Jobs of the schedule that are not over, after which it comes."""
    replaces: bool = False
    """Those jobs are stopped for it."""
    by_hand: bool = False


class ScheduleState(_Record):
    """Changed only as a whole, by compare-and-set."""

    anchor: float
    """What an interval is counted from, unix seconds."""
    next_at: float
    """The next occurrence that was not decided on."""
    pending: Pending | None = None
    live: tuple[JobId, ...] = ()
    """Its jobs that are not known to be over, the oldest first."""
    looked_at: float
    """When these were last looked at."""
    paused: bool = False
    halted: str | None = None
    """Why nothing more is enqueued until it is resumed."""
    rapid: int = 0
    """Jobs in a row, up to the last one that ended, that failed at once."""
    passed: int = 0
    """Occurrences that were left out since the last one, for that."""
    first_hold: Usd | None = None
    """US dollars that were held for the first posting of the last job that got so far: what one may need."""
    enqueued: int = 0
    skipped: int = 0
    missed: int = 0
    refused: int = 0
    history: tuple[Occurred, ...] = ()
    """The latest occurrences, the oldest first."""

    @property
    def is_active(self) -> bool:
        return not self.paused and self.halted is None

    def noted(self, occurred: Occurred) -> "ScheduleState":
        """With one more occurrence, and counted. Those left out in a row for one reason are one entry."""
        counted = getattr(self, occurred.what) + occurred.count
        history = self.history
        if history and occurred.goes_with(history[-1]):
            occurred = occurred.model_copy(update={"count": occurred.count + history[-1].count})
            history = history[:-1]
        history = (*history, occurred)[-HISTORY_AT_MOST:]
        return self.model_copy(update={"history": history, occurred.what: counted})


@dataclass(frozen=True, slots=True)
class Kept:
    """A schedule as it is kept. `generation` tells it from others that had the name before; `version` is another after
    every change, of this or any schedule."""

    schedule: Schedule
    state: ScheduleState
    generation: int
    version: int
    source: Source = "store"

    @property
    def name(self) -> str:
        return self.schedule.name

    def request_id(self, at: float) -> str:
        """The request id of the occurrence at `at`: nobody can enqueue it twice."""
        return f"schedule:{self.name}:{self.generation}:{timestamp(at)}"

    def request_id_by_hand(self, token: str) -> str:
        return f"schedule:{self.name}:{self.generation}:by-hand:{token}"


def begun(schedule: Schedule, now: float) -> ScheduleState:
    """The state of a schedule that is new at `now`. The first occurrence of an interval comes when it is over once."""
    anchor = float(int(now))
    state = ScheduleState(anchor=anchor, next_at=anchor, looked_at=now, paused=schedule.paused)
    return _from_now(schedule, state, now)


def changed(old: Schedule, new: Schedule, state: ScheduleState, now: float) -> ScheduleState:
    """The state after the schedule is another: its history stays, and what was due already is still due."""
    if (old.cron, old.every, old.tz) != (new.cron, new.every, new.tz) and state.next_at > now:
        state = _from_now(new, state.model_copy(update={"anchor": float(int(now))}), now)
    if old.paused != new.paused:
        state = paused(state) if new.paused else resumed(new, state, now)
    return state


def paused(state: ScheduleState) -> ScheduleState:
    return state.model_copy(update={"paused": True})


def resumed(schedule: Schedule, state: ScheduleState, now: float) -> ScheduleState:
    """Active again. What came meanwhile was left out on purpose, and is not made up for."""
    if state.is_active:
        return state
    calm = {"paused": False, "halted": None, "rapid": 0, "passed": 0}
    return _from_now(schedule, state.model_copy(update=calm), now)


def wakes_at(schedule: Schedule, state: ScheduleState) -> float | None:
    """When the schedule has to be looked at again, unix seconds; None where nothing will happen to it."""
    if state.pending is not None:
        return state.pending.decided_at
    times = [schedule.fires_at(state.next_at)] if state.is_active else []
    if state.live:
        times.append(state.looked_at + LOOK_AFTER)
    return min(times, default=None)


def _from_now(schedule: Schedule, state: ScheduleState, now: float) -> ScheduleState:
    return state.model_copy(update={"next_at": next(schedule.cadence(state.anchor).after(now))})
