"""Which calls may go out, on Redis. What each script does is told in its file, `lua/traffic/<name>.lua`."""

import secrets
from typing import Final

import redis

from dispatcher.domain.errors import Bug
from dispatcher.domain.traffic import (
    LONGEST_PRESSING_PAUSE,
    Change,
    HeldBy,
    Limits,
    Looking,
    Outcome,
    Urgency,
    queue_of,
)
from dispatcher.ports.traffic import Admitted, Held, Lane, LaneView
from dispatcher.store.redis.database import Argument, Database, text

_CHANGES: Final = {"P": Change.PAUSED, "O": Change.OPENED, "C": Change.CLOSED}


class RedisTraffic:
    """A `Traffic` on one server. Threads may share it. Kept are two small hashes: one a lane, one an API."""

    def __init__(self, client: redis.Redis, prefix: str = "dispatcher") -> None:
        self._db = Database(client, "traffic", prefix)

    def admit(
        self,
        lane: Lane,
        *,
        urgency: Urgency,
        now: float,
        limits: Limits,
        before: float | None = None,
        looking: Looking | None = None,
    ) -> Admitted | Held:
        answer = self._db.run(
            "admit",
            *_lane(lane, now, limits),
            secrets.token_hex(8),
            int(urgency.is_pressing),
            "" if before is None else repr(before),
            repr(LONGEST_PRESSING_PAUSE),
            repr(limits.needed(urgency)),
            queue_of(urgency),
            int(urgency is Urgency.POST),
            repr(limits.cool_down),
            repr(limits.trial),
            repr(limits.queue),
            "" if looking is None or limits.looks is None else looking.value,
            *_looks(limits),
            "" if looking is None else repr(limits.needed_to_look(looking)),
        )
        match [text(item) for item in answer]:
            case ["admitted", watched, is_open, trial]:
                return Admitted(now, watched == "1", is_open == "1", trial)
            case [_, until, by, paused_until, failures, trial_wanted]:
                in_a_row = int(failures) if by == HeldBy.BREAKER else 0
                return Held(float(until), HeldBy(by), _time(paused_until), in_a_row, trial_wanted == "1")
            case other:
                raise Bug(f"the script admit.lua answered {other[:1]}")

    def answered(
        self,
        lane: Lane,
        admitted: Admitted,
        outcome: Outcome,
        *,
        now: float,
        limits: Limits,
        retry_after: float | None = None,
    ) -> frozenset[Change]:
        answer = self._db.run(
            "answered",
            *_lane(lane, now, limits),
            secrets.token_hex(8),
            outcome,
            "" if retry_after is None else repr(float(retry_after)),
            repr(admitted.at),
            int(admitted.breaker_open),
            admitted.trial,
            repr(limits.pause),
            repr(limits.longest_pause),
            limits.failures,
            repr(limits.window),
            repr(limits.cool_down),
            repr(limits.longest_cool_down),
        )
        return frozenset(_CHANGES[letter] for letter in text(answer))

    def view(self, lane: Lane, *, now: float, limits: Limits) -> LaneView:
        answer = self._db.run("view", *_lane(lane, now, limits), *_looks(limits))
        available, paused_until, open_since, trial_at, failures, looks, looks_until = map(text, answer)
        return LaneView(
            available=float(available),
            paused_until=_time(paused_until),
            open_since=_time(open_since),
            trial_at=_time(trial_at),
            failures=int(failures),
            looks=_time(looks),
            looks_until=_time(looks_until),
        )


def _lane(lane: Lane, now: float, limits: Limits) -> tuple[Argument, ...]:
    """What the arguments of every script begin with."""
    times = (repr(now), repr(limits.ahead), repr(limits.burst), repr(limits.rate))
    return (lane.account, lane.api, *times)


def _looks(limits: Limits) -> tuple[Argument, ...]:
    return ("", "") if limits.looks is None else (repr(limits.looks_burst), repr(limits.looks))


def _time(answer: str) -> float | None:
    return float(answer) if answer else None
