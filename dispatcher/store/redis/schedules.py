"""Schedules on Redis. What each script does is told in its file, `lua/schedules/<name>.lua`."""

import secrets
from dataclasses import replace
from typing import Any, Literal, cast

import redis
from pydantic import ValidationError

from dispatcher.domain.errors import UnreadableSchedule
from dispatcher.domain.schedules import Kept, Schedule, ScheduleState, Source
from dispatcher.store.redis.database import Database, text

_FIELDS = ("schedule", "state", "generation", "version", "source")


class RedisSchedules:
    """A `ScheduleStore` on one server. Threads may share it."""

    def __init__(self, client: redis.Redis, prefix: str = "dispatcher") -> None:
        self._db = Database(client, "schedules", prefix)

    def create(
        self, schedule: Schedule, state: ScheduleState, *, source: Source, wakes_at: float | None
    ) -> Kept | None:
        answer = self._put(schedule.name, "", state, wakes_at, source, schedule.model_dump_json())
        return None if answer is None else Kept(schedule, state, *answer, source)

    def get(self, name: str) -> Kept | None:
        found = self._db.ask("HMGET", self._db.key("schedule", name), *_FIELDS)
        if found[2] is None:
            return None
        schedule, state, generation, version, source = found
        try:
            return Kept(
                Schedule.model_validate_json(schedule or b""),
                ScheduleState.model_validate_json(state or b""),
                int(generation),
                int(version),
                _source(source),
            )
        except ValidationError as e:
            raise UnreadableSchedule(name) from e

    def save(self, kept: Kept, state: ScheduleState, *, wakes_at: float | None) -> Kept | None:
        answer = self._put(kept.name, str(kept.version), state, wakes_at, kept.source, "")
        return None if answer is None else replace(kept, state=state, version=answer[1])

    def change(
        self,
        kept: Kept,
        schedule: Schedule,
        state: ScheduleState,
        *,
        source: Source,
        wakes_at: float | None,
    ) -> Kept | None:
        answer = self._put(kept.name, str(kept.version), state, wakes_at, source, schedule.model_dump_json())
        return None if answer is None else Kept(schedule, state, *answer, source)

    def remove(self, name: str) -> None:
        self._db.run("remove", name)

    def names(self) -> list[str]:
        return sorted(text(name) for name in self._db.ask("SMEMBERS", self._db.key("schedules")))

    def due(self, *, now: float) -> list[str]:
        found = self._db.ask("ZRANGEBYSCORE", self._db.key("schedules", "wakes"), "-inf", repr(now))
        return [text(name) for name in found]

    def note_tick(self, *, now: float) -> None:
        self._db.ask("SET", self._db.key("schedules", "ticked"), repr(now))

    def last_tick(self) -> float | None:
        found = self._db.ask("GET", self._db.key("schedules", "ticked"))
        return None if found is None else float(found)

    def _put(
        self,
        name: str,
        expected: str,
        state: ScheduleState,
        wakes_at: float | None,
        source: Source,
        schedule: str,
    ) -> tuple[int, int] | None:
        answer: Any = self._db.run(
            "put",
            name,
            secrets.token_hex(8),
            expected,
            state.model_dump_json(),
            "" if wakes_at is None else repr(wakes_at),
            source,
            schedule,
        )
        return None if answer is None else (int(answer[0]), int(answer[1]))


def _source(found: Any) -> Source:
    return cast("Literal['store', 'settings']", text(found))
