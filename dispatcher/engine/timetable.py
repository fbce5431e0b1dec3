"""Schedules are added, changed, paused, resumed, removed; by hand, or to keep in step with the settings' file."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from dispatcher.domain.errors import (
    InvalidRequest,
    NotPossible,
    RequestError,
    StoreUnavailable,
    UnknownSchedule,
    UnreadableSchedule,
)
from dispatcher.domain.faults import under
from dispatcher.domain.schedules import Kept, Schedule, ScheduleState, Source
from dispatcher.domain.schedules.state import begun, changed, paused, resumed, wakes_at
from dispatcher.engine import intake
from dispatcher.engine.budgets import remove_budget, set_budget
from dispatcher.engine.parts import Parts

_log = structlog.get_logger(__name__)

SCHEDULES_AT_MOST: Final = 1000
"""Each tick looks at those that are due; `list` at all."""

_TRIES: Final = 50
"""So often a change is tried again that ticks got in the way of."""


@dataclass(slots=True)
class Synced:
    """What a file made of the store. `refused`: names with the reason."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.refused)


def known(parts: Parts, name: str) -> Kept:
    """The schedule. Raises `UnknownSchedule`, `UnreadableSchedule`."""
    kept = parts.schedules.get(name)
    if kept is None:
        raise UnknownSchedule(name)
    return kept


def add(parts: Parts, schedule: Schedule, *, source: Source = "store", replace: bool = False) -> Kept:
    """Keep a schedule. One that is there and says the same stays as it is; another one is changed with `replace`, and
    keeps its history.

    Raises `InvalidRequest` for a request that `enqueue` would refuse, `NotPossible`.
    """
    try:
        intake.check(parts, schedule.request_of())
    except InvalidRequest as e:
        raise InvalidRequest(under("request", e.faults)) from None
    for _ in range(_TRIES):
        there = parts.schedules.get(schedule.name)
        if there is None:
            if len(parts.schedules.names()) >= SCHEDULES_AT_MOST:
                raise NotPossible(
                    f"{SCHEDULES_AT_MOST} schedules are kept, and no more are: remove one with "
                    "`dispatcher schedule remove`"
                )
            _allow(parts, None, schedule)
            state = begun(schedule, parts.clock.now())
            made = parts.schedules.create(schedule, state, source=source, wakes_at=wakes_at(schedule, state))
        elif there.source != source:
            raise NotPossible(_taken(there))
        elif there.schedule == schedule:
            return there
        elif not replace:
            raise NotPossible(
                f"there is a schedule {schedule.name} that says something else: `--replace` changes it"
            )
        else:
            _allow(parts, there.schedule, schedule)
            state = changed(there.schedule, schedule, there.state, parts.clock.now())
            made = parts.schedules.change(
                there, schedule, state, source=source, wakes_at=wakes_at(schedule, state)
            )
        if made is not None:
            return made
    raise _busy(schedule.name)


def pause(parts: Parts, name: str) -> Kept:
    """Enqueue nothing more of the schedule; its jobs go on. Raises `UnknownSchedule`."""
    return _changing(parts, name, lambda kept, _: paused(kept.state))


def resume(parts: Parts, name: str) -> Kept:
    """Go on with the next occurrence from now; what came meanwhile is not made up for. Raises `UnknownSchedule`."""
    return _changing(parts, name, lambda kept, now: resumed(kept.schedule, kept.state, now))


def remove(parts: Parts, name: str, *, source: Source = "store") -> None:
    """Forget the schedule and its budget; its jobs go on. Raises `UnknownSchedule`, and `NotPossible` for one that
    stands in the settings' file."""
    try:
        kept = known(parts, name)
    except UnreadableSchedule:
        parts.schedules.remove(name)
        return
    if kept.source != source:
        raise NotPossible(_taken(kept))
    parts.schedules.remove(name)
    _allow(parts, kept.schedule, None)


def sync(parts: Parts, schedules: Sequence[Schedule]) -> Synced:
    """Make the settings' schedules those of `schedules`: added, changed, removed. Those made by hand stay."""
    done = Synced()
    written = {schedule.name: schedule for schedule in schedules}
    there = parts.schedules.names()
    for name, schedule in written.items():
        try:
            before = parts.schedules.get(name)
            if before is not None and before.source == "settings" and before.schedule == schedule:
                continue
            add(parts, schedule, source="settings", replace=True)
        except StoreUnavailable:
            raise
        except (RequestError, UnreadableSchedule) as e:
            done.refused[name] = str(e)
        else:
            (done.changed if before else done.added).append(name)
    for name in there:
        if name in written:
            continue
        with suppress(UnreadableSchedule, UnknownSchedule):
            if known(parts, name).source == "settings":
                remove(parts, name, source="settings")
                done.removed.append(name)
    if done.added or done.changed or done.removed:
        _log.info("schedules_synced", added=done.added, changed=done.changed, removed=done.removed)
    if done.refused and parts.store.take_turn(
        "schedules_refused", now=parts.clock.now(), period=parts.pace(600)
    ):
        _log.error("schedules_refused", refused=done.refused)
    return done


def _changing(parts: Parts, name: str, change: Callable[[Kept, float], ScheduleState]) -> Kept:
    for _ in range(_TRIES):
        kept = known(parts, name)
        state = change(kept, parts.clock.now())
        if state == kept.state:
            return kept
        saved = parts.schedules.save(kept, state, wakes_at=wakes_at(kept.schedule, state))
        if saved is not None:
            return saved
    raise _busy(name)


def _allow(parts: Parts, old: Schedule | None, new: Schedule | None) -> None:
    """Set, change or remove the budget of the schedule's jobs."""
    before = None if old is None else old.allowance()
    after = None if new is None else new.allowance()
    if after is not None and after != before:
        set_budget(parts, after)
    if before is not None and (after is None or after.window != before.window):
        with suppress(NotPossible):  # somebody removed it
            remove_budget(parts, before.scope, before.window)


def _taken(kept: Kept) -> str:
    if kept.source == "settings":
        return (
            f"the schedule {kept.name} stands in the settings' file: change it there, or "
            f"`dispatcher schedule pause {kept.name}`"
        )
    return f"there is a schedule {kept.name} that was added by hand: `dispatcher schedule remove {kept.name}` first"


def _busy(name: str) -> NotPossible:
    return NotPossible(f"the schedule {name} is being changed by others all the time: try again")
