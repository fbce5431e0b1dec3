"""Jobs that come again and again, from your own application: added, looked at, paused, run by hand, removed.

`dispatcher.client` has these functions too. Times in answers are ISO 8601 in UTC, durations `30m`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dispatcher.domain.duration import format_duration
from dispatcher.domain.errors import InvalidRequest, SettingsError, UnreadableSchedule
from dispatcher.domain.faults import Fault
from dispatcher.domain.schedules import Schedule, parse_schedules
from dispatcher.domain.schedules.view import coming, summary, whole
from dispatcher.domain.view import timestamp
from dispatcher.engine import schedules as running
from dispatcher.engine import timetable
from dispatcher.engine.parts import Parts
from dispatcher.handle import JobHandle
from dispatcher.library import parts as _parts
from dispatcher.settings.documents import read_document

_NO_TICK = 120.0
"""Seconds of the wall's time without a tick after which somebody should look; beat sends one every 10 s."""


def add_schedule(schedule: Schedule | Mapping[str, Any], *, replace: bool = False) -> dict[str, Any]:
    """Keep a schedule: the fields of `Schedule` (docs/schedules.md). The answer is as in `get_schedule`.

    One that is there and says the same stays as it is; another one is changed with `replace`, and keeps its history.
    Raises `InvalidRequest` (every fault; nothing stored), `NotPossible`.
    """
    asked = schedule if isinstance(schedule, Schedule) else Schedule.parse(schedule)
    return whole(timetable.add(_parts(), asked, replace=replace))


def list_schedules() -> dict[str, Any]:
    """`schedules`: all of them by name, with `when`, `source` (`store`, or the `settings`' file), `state` (`active`,
    `paused`, `halted`) and `why`, `next_at`, what became of the `last` occurrence, `live_jobs`, and how many
    occurrences were `enqueued`, `skipped`, `missed`, `refused`; of one that cannot be read, its name and an `error`.
    `last_tick_at`: when somebody last looked whether one is due; `warning`: that this was long ago."""
    parts = _parts()
    ticked = parts.schedules.last_tick()
    return {
        "schedules": [_listed(parts, name) for name in parts.schedules.names()],
        "last_tick_at": timestamp(ticked),
        "warning": _warning(parts, ticked),
    }


def get_schedule(name: str) -> dict[str, Any]:
    """All that is known of a schedule, but for the definition: the fields of `list_schedules`, what it says, and the
    `history` of its last 50 occurrences, the newest first. Raises `UnknownSchedule`, `UnreadableSchedule`."""
    return whole(timetable.known(_parts(), name))


def next_occurrences(name: str, count: int = 10) -> list[dict[str, Any]]:
    """The next occurrences from now, as they would come if nothing is paused: `at`, `local` (in the schedule's zone),
    `begins_at` (later by the jitter), `note`: what the clocks do to it. Raises `UnknownSchedule`."""
    parts = _parts()
    kept = timetable.known(parts, name)
    return coming(kept.schedule, kept.state.anchor, parts.clock.now(), count)


def pause_schedule(name: str) -> dict[str, Any]:
    """Enqueue nothing more of the schedule until it is resumed; its jobs go on. Raises `UnknownSchedule`."""
    return whole(timetable.pause(_parts(), name))


def resume_schedule(name: str) -> dict[str, Any]:
    """Go on with the next occurrence from now, whether it was paused or halted. Raises `UnknownSchedule`."""
    return whole(timetable.resume(_parts(), name))


def run_schedule_now(name: str) -> JobHandle:
    """Enqueue the schedule's job now, beside its occurrences, even if it is paused or halted. Each call is one job.

    Raises `UnknownSchedule`, and `NotPossible` where overlap or budget would have an occurrence left out.
    """
    parts = _parts()
    return JobHandle(running.run_now(parts, name), new=True, parts=parts)


def remove_schedule(name: str) -> None:
    """Forget the schedule, its history and its budget; its jobs go on.

    Raises `UnknownSchedule`, and `NotPossible` for one that stands in the settings' file.
    """
    timetable.remove(_parts(), name)


def sync_schedules() -> dict[str, Any]:
    """Keep in step with the settings' file at once, as every tick does: `added`, `changed`, `removed` names, and those
    `refused` with the reason. Raises `SettingsError` without a file, `InvalidRequest` with every fault of it."""
    parts = _parts()
    written = parts.written_schedules()
    if written is None:
        raise SettingsError("no file with schedules: set DISPATCHER_SCHEDULES_FILE to its path")
    done = timetable.sync(parts, written)
    return {
        "added": done.added,
        "changed": done.changed,
        "removed": done.removed,
        "refused": done.refused,
    }


def check_schedules(path: str) -> list[dict[str, Any]]:
    """What a file with schedules says: `name`, `when`. Nothing is stored. Raises `InvalidRequest` with every fault."""
    found = Path(path)
    if not found.is_file():
        raise InvalidRequest([Fault(found.name, "there is no such file")])
    return [
        {"name": schedule.name, "when": schedule.in_words()}
        for schedule in parse_schedules(read_document(found))
    ]


def _listed(parts: Parts, name: str) -> dict[str, Any]:
    try:
        return summary(timetable.known(parts, name))
    except UnreadableSchedule as e:
        return {"name": name, "state": "unreadable", "error": str(e)}


def _warning(parts: Parts, ticked: float | None) -> str | None:
    if ticked is None:
        return "nobody ever looked whether a schedule is due: is beat running, and a worker?"
    ago = parts.clock.now() - ticked
    if ago <= parts.pace(_NO_TICK):
        return None
    return f"no tick for {format_duration(round(ago))}: is beat running, and a worker?"
