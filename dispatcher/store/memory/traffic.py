"""Which calls may go out, in this process. The twin of the scripts in `redis/lua/traffic`: same steps, same order."""

import itertools
import threading
from dataclasses import dataclass, field
from typing import Final

from dispatcher.domain.traffic import (
    Change,
    HeldBy,
    Limits,
    Looking,
    Outcome,
    Urgency,
    pressing_pause,
    queue_of,
)
from dispatcher.ports.traffic import Admitted, Held, Lane, LaneView

ATOM: Final = 0.001
"""Seconds, or calls: less than this is a rounding error, and holds nobody back."""


@dataclass(slots=True)
class _Account:
    """The bucket and the pause of a lane. `tokens` is what was in the bucket at `at`."""

    tokens: float
    at: float
    places: dict[str, float] = field(default_factory=dict)
    """Queue -> when the last one in it may come back."""
    looks: float | None = None
    """Looks that were left at `looks_at`; None before the first."""
    looks_at: float = 0.0
    paused_since: float = 0.0
    paused_until: float = 0.0
    strikes: int = 0
    """Pauses in a row for which the network named no length."""

    def filled(self, now: float, limits: Limits) -> float:
        return min(self.tokens + max(now - self.at, 0.0) * limits.rate, limits.burst)

    def looks_left(self, now: float, limits: Limits) -> float:
        if self.looks is None or limits.looks is None:
            return limits.looks_burst
        return min(self.looks + max(now - self.looks_at, 0.0) * limits.looks, limits.looks_burst)


@dataclass(slots=True)
class _Api:
    """The breaker; closed while `open_since` is None."""

    failed_at: list[float] = field(default_factory=list)
    """The last failures while it was closed, the oldest first."""
    failures: int = 0
    open_since: float | None = None
    until: float = 0.0
    cool_down: float = 0.0
    trial: str = ""
    trial_until: float = 0.0
    trial_presses: bool = False
    """The trial is a stop or an extension."""
    pressed: bool = False
    """A stop or an extension went out since it opened: it will come again, and goes first."""
    others_next: bool = False
    """The last trial was a stop or an extension, in vain: the next is something else, as perhaps only stops fail."""


class MemoryTraffic:
    """A `Traffic` behind one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[Lane, _Account] = {}
        self._apis: dict[str, _Api] = {}
        self._trials = itertools.count(1)

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
        with self._lock:
            account, api = self._account(lane, now, limits), self._api(lane.api, now, limits)
            held = _paused(account, urgency, now, before) or _broken(api, urgency, now, limits)
            held = held or _queued(account, urgency, now, limits) or _counted(account, looking, now, limits)
            if held is not None:
                return held
            account.tokens, account.at = account.filled(now, limits) - 1, max(account.at, now)
            if looking is not None and limits.looks is not None:
                account.looks = account.looks_left(now, limits) - 1
                account.looks_at = max(account.looks_at, now)
            watched = api.failures > 0 or account.strikes > 0
            if api.open_since is None:
                return Admitted(now, watched)
            trial, presses = "", urgency.is_pressing
            due = now >= api.until - ATOM and not (presses and api.others_next)
            if due and not (api.trial and api.trial_until > now):
                trial = api.trial = str(next(self._trials))
                api.trial_until, api.trial_presses = now + limits.trial, presses
            api.pressed = api.pressed or presses
            return Admitted(now, watched=True, breaker_open=True, trial=trial)

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
        with self._lock:
            account, api = self._account(lane, now, limits), self._api(lane.api, now, limits)
            changes: set[Change] = set()
            if outcome is Outcome.LIMITED or (outcome is Outcome.FAILED and retry_after):
                if account.paused_until <= now:
                    changes.add(Change.PAUSED)
                _pause(account, admitted, now, limits, retry_after)
            elif outcome is Outcome.ANSWERED and admitted.at > account.paused_since:
                account.strikes = 0
            if outcome is Outcome.FAILED:
                if _failed(api, admitted, now, limits):
                    changes.add(Change.OPENED)
            elif api.open_since is None:
                api.failed_at, api.failures = [], 0
            elif admitted.breaker_open:
                self._apis[lane.api] = _Api()
                changes.add(Change.CLOSED)
            return frozenset(changes)

    def view(self, lane: Lane, *, now: float, limits: Limits) -> LaneView:
        with self._lock:
            account, api = self._account(lane, now, limits), self._api(lane.api, now, limits)
            return LaneView(
                available=account.filled(now, limits),
                paused_until=account.paused_until if account.paused_until > now else None,
                open_since=api.open_since,
                trial_at=None if api.open_since is None else api.until,
                failures=api.failures,
                looks=None if limits.looks is None else account.looks_left(now, limits),
                looks_until=last if (last := account.places.get("new", 0.0)) > now else None,
            )

    def _account(self, lane: Lane, now: float, limits: Limits) -> _Account:
        known = self._accounts.get(lane)
        if known is None or known.at > now + limits.ahead or known.paused_since > now + limits.ahead:
            known = self._accounts[lane] = _Account(tokens=limits.burst, at=now)
        return known

    def _api(self, name: str, now: float, limits: Limits) -> _Api:
        known = self._apis.get(name)
        if known is None or max([known.open_since or 0.0, *known.failed_at]) > now + limits.ahead:
            known = self._apis[name] = _Api()
        return known


def _paused(account: _Account, urgency: Urgency, now: float, before: float | None) -> Held | None:
    until = account.paused_until
    if urgency.is_pressing:
        until = min(until, pressing_pause(account.paused_since, before))
    if until - now <= ATOM:
        return None
    return Held(until, HeldBy.PAUSE, paused_until=account.paused_until)


def _broken(api: _Api, urgency: Urgency, now: float, limits: Limits) -> Held | None:
    if api.open_since is None or urgency.is_pressing:
        return None
    ready = api.until + (api.cool_down / 2 if api.pressed and not api.others_next else 0.0)
    if ready - now > ATOM:
        return Held(ready, HeldBy.BREAKER, failures=api.failures)
    if api.trial and api.trial_until > now:
        return Held(min(api.trial_until, now + limits.cool_down), HeldBy.BREAKER, failures=api.failures)
    if urgency is Urgency.POST:
        until = now + limits.cool_down
        return Held(until, HeldBy.BREAKER, failures=api.failures, trial_wanted=True)
    return None


def _queued(account: _Account, urgency: Urgency, now: float, limits: Limits) -> Held | None:
    lacking = limits.needed(urgency) - account.filled(now, limits)
    if lacking <= ATOM:
        return None
    until = now + lacking / limits.rate
    if queue := queue_of(urgency):
        # Each who waits gets a later place, so that they do not all come back at once.
        until = max(until, account.places.get(queue, 0.0) + 1 / limits.rate)
        until = account.places[queue] = min(until, now + limits.queue)
    return Held(until, HeldBy.RATE)


def _counted(account: _Account, looking: Looking | None, now: float, limits: Limits) -> Held | None:
    """Each who waits has a turn of his own. Who comes new stands behind all of them, unless so much is left that they
    do not need it: some of them may never come back."""
    if looking is None or limits.looks is None:
        return None
    left, places, each = account.looks_left(now, limits), account.places, 1 / limits.looks
    lacking = limits.needed_to_look(looking) - left
    until = now + max(lacking, 0.0) / limits.looks
    last = places.get(looking.value, 0.0)
    if looking is Looking.NEW:
        last = max(last, places.get(Looking.AGAIN.value, 0.0))
        may_go = lacking <= ATOM and (last - now <= ATOM or limits.looks_burst - left <= ATOM)
    else:
        may_go = lacking <= ATOM
    if may_go:
        return None
    until = places[looking.value] = max(until, last + each)
    return Held(until, HeldBy.LOOKS)


def _pause(
    account: _Account, admitted: Admitted, now: float, limits: Limits, retry_after: float | None
) -> None:
    begins = account.paused_until <= now
    if retry_after:
        length = retry_after
    else:
        # What was under way when the pause began says nothing new.
        if begins or admitted.at > account.paused_since:
            account.strikes += 1
        doublings = min(max(account.strikes, 1), 30) - 1
        length = min(limits.pause * 2.0**doublings, limits.longest_pause)
    if begins:
        account.paused_since = now
    account.paused_until = max(account.paused_until, now + length)


def _failed(api: _Api, admitted: Admitted, now: float, limits: Limits) -> bool:
    """Whether this failure opens the breaker."""
    api.failures += 1
    if api.open_since is None:
        api.failed_at = [*api.failed_at, now][-limits.failures :]
        if len(api.failed_at) < limits.failures or now - api.failed_at[0] > limits.window:
            return False
        api.open_since, api.cool_down, api.failed_at = now, limits.cool_down, []
        api.until = now + api.cool_down
        return True
    if admitted.trial and admitted.trial == api.trial:
        api.cool_down = min(api.cool_down * 2, limits.longest_cool_down)
        api.until, api.trial, api.pressed = now + api.cool_down, "", False
        api.others_next = api.trial_presses
    return False
