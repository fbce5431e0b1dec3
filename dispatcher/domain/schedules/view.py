"""What people and programs are shown of a schedule: JSON-ready, times ISO 8601 in UTC, durations `30m`."""

from typing import Any

from dispatcher.domain.duration import format_duration
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.schedules.cadence import upcoming
from dispatcher.domain.schedules.schedule import Schedule
from dispatcher.domain.schedules.state import Kept, Occurred
from dispatcher.domain.view import timestamp

_NAMED = ("market", "timeout", "account", "policy", "policies", "labels", "priority", "node", "callback")


def summary(kept: Kept) -> dict[str, Any]:
    """A schedule in a list: when it comes, how it stands, what became of it last."""
    schedule, state = kept.schedule, kept.state
    last = state.history[-1] if state.history else None
    return {
        "name": kept.name,
        "when": schedule.in_words(),
        "source": kept.source,
        "state": "halted" if state.halted else "paused" if state.paused else "active",
        "why": state.halted or "",
        "next_at": timestamp(state.next_at) if state.is_active else None,
        "begins_at": timestamp(schedule.fires_at(state.next_at)) if state.is_active else None,
        "last": None if last is None else _occurred(last),
        "live_jobs": list(state.live),
        "enqueued": state.enqueued,
        "skipped": state.skipped,
        "missed": state.missed,
        "refused": state.refused,
    }


def whole(kept: Kept) -> dict[str, Any]:
    """All that is known of a schedule, but for the definition that it enqueues."""
    schedule, state = kept.schedule, kept.state
    said = schedule.model_dump(mode="json", exclude={"name", "request", "paused"}, exclude_none=True)
    return {
        **summary(kept),
        **said,
        "jitter": format_duration(schedule.jitter) if schedule.jitter else None,
        "request": {name: schedule.request[name] for name in _NAMED if schedule.request.get(name)},
        "fingerprint": _fingerprint(schedule),
        "generation": kept.generation,
        "rapid_in_a_row": state.rapid,
        "pending": None
        if state.pending is None
        else {"at": timestamp(state.pending.at), "request_id": state.pending.request_id},
        "history": [_occurred(entry) for entry in reversed(state.history)],
    }


def _fingerprint(schedule: Schedule) -> str | None:
    """None for a request that is not valid any more: another version of the dispatcher took it."""
    try:
        return schedule.fingerprint()
    except InvalidRequest:
        return None


def coming(schedule: Schedule, anchor: float, after: float, count: int) -> list[dict[str, Any]]:
    """The next occurrences: `at`, `local` with its offset, `begins_at` (later by the jitter), `note`."""
    return [
        {
            "at": timestamp(each.at),
            "local": each.local.isoformat(timespec="seconds"),
            "begins_at": timestamp(schedule.fires_at(each.at)),
            "note": each.note,
        }
        for each in upcoming(schedule.cadence(anchor), after, count)
    ]


def _occurred(entry: Occurred) -> dict[str, Any]:
    return {
        "at": timestamp(entry.at),
        "noted_at": timestamp(entry.noted_at),
        "what": entry.what,
        "why": entry.why,
        "count": entry.count,
        "job": entry.job,
        "by_hand": entry.by_hand,
        "end": entry.end,
    }
