"""Where schedules are kept.

Every method is one atomic step, and may raise `StoreUnavailable`. What somebody decides about a schedule is written by
compare-and-set: it has no effect if the schedule was changed, or made anew, since it was read.
"""

from typing import Protocol

from dispatcher.domain.schedules import Kept, Schedule, ScheduleState, Source


class ScheduleStore(Protocol):
    """Schedules with their state, by name, and when each has to be looked at again."""

    def create(
        self, schedule: Schedule, state: ScheduleState, *, source: Source, wakes_at: float | None
    ) -> Kept | None:
        """Keep a new schedule; None if there is one of this name."""
        ...

    def get(self, name: str) -> Kept | None:
        """The schedule. Raises `UnreadableSchedule`."""
        ...

    def save(self, kept: Kept, state: ScheduleState, *, wakes_at: float | None) -> Kept | None:
        """Replace the state; None if the schedule is another by now, or gone: nothing was saved."""
        ...

    def change(
        self,
        kept: Kept,
        schedule: Schedule,
        state: ScheduleState,
        *,
        source: Source,
        wakes_at: float | None,
    ) -> Kept | None:
        """Replace the schedule of the same name and its state; None as in `save`."""
        ...

    def remove(self, name: str) -> None:
        """Forget the schedule, readable or not. No effect if there is none."""
        ...

    def names(self) -> list[str]:
        """All of them, sorted."""
        ...

    def due(self, *, now: float) -> list[str]:
        """Those that have to be looked at, the longest due first."""
        ...

    def note_tick(self, *, now: float) -> None:
        """Somebody looked whether anything is due."""
        ...

    def last_tick(self) -> float | None:
        """When somebody last did, unix seconds."""
        ...
