"""Schedules, in this process."""

import itertools
import threading
from dataclasses import replace

from dispatcher.domain.schedules import Kept, Schedule, ScheduleState, Source


class MemorySchedules:
    """A `ScheduleStore` behind one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}
        self._wakes: dict[str, float] = {}
        self._serial = itertools.count(1)
        self._ticked: float | None = None

    def create(
        self, schedule: Schedule, state: ScheduleState, *, source: Source, wakes_at: float | None
    ) -> Kept | None:
        with self._lock:
            if schedule.name in self._kept:
                return None
            serial = next(self._serial)
            return self._put(Kept(schedule, state, serial, serial, source), wakes_at)

    def get(self, name: str) -> Kept | None:
        with self._lock:
            return self._kept.get(name)

    def save(self, kept: Kept, state: ScheduleState, *, wakes_at: float | None) -> Kept | None:
        return self.change(kept, kept.schedule, state, source=kept.source, wakes_at=wakes_at)

    def change(
        self,
        kept: Kept,
        schedule: Schedule,
        state: ScheduleState,
        *,
        source: Source,
        wakes_at: float | None,
    ) -> Kept | None:
        with self._lock:
            there = self._kept.get(kept.name)
            if there is None or there.version != kept.version:
                return None
            version = next(self._serial)
            return self._put(
                replace(there, schedule=schedule, state=state, source=source, version=version), wakes_at
            )

    def remove(self, name: str) -> None:
        with self._lock:
            self._kept.pop(name, None)
            self._wakes.pop(name, None)

    def names(self) -> list[str]:
        with self._lock:
            return sorted(self._kept)

    def due(self, *, now: float) -> list[str]:
        with self._lock:
            return [name for at, name in sorted((at, name) for name, at in self._wakes.items()) if at <= now]

    def note_tick(self, *, now: float) -> None:
        with self._lock:
            self._ticked = now

    def last_tick(self) -> float | None:
        with self._lock:
            return self._ticked

    def _put(self, kept: Kept, wakes_at: float | None) -> Kept:
        self._kept[kept.name] = kept
        if wakes_at is None:
            self._wakes.pop(kept.name, None)
        else:
            self._wakes[kept.name] = wakes_at
        return kept
