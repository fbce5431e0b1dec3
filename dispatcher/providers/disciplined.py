"""A provider whose calls go out only when traffic allows it, whatever network is behind it.

A call that is held back is not sent: it raises `NotSent`, which says why and when it is worth a try. Nobody waits
here. How a call ended is told to the traffic only where that changes something, so that a healthy network costs one
question before each call and nothing after it.
"""

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from urllib.parse import urlsplit

import structlog

from dispatcher.domain.cid import Cid
from dispatcher.domain.errors import NotSent, ProviderError, StoreError
from dispatcher.domain.ids import AccountName, IdempotencyKey, MarketAddress, ProjectAddress, RemoteAddress
from dispatcher.domain.traffic import Change, HeldBy, Limits, Looking, Outcome, Urgency, outcome_of
from dispatcher.domain.view import timestamp
from dispatcher.domain.words import Phase
from dispatcher.ports.clock import Clock
from dispatcher.ports.provider import (
    Balance,
    Capabilities,
    ExtendedJob,
    JobResult,
    ListedJob,
    Market,
    PostedJob,
    Provider,
    RemoteJob,
    RequiredResources,
    StoppedJob,
)
from dispatcher.ports.traffic import Admitted, Held, Lane, LaneView, Traffic

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)

_SOONEST: Final = 0.05
"""Seconds of the wall's time. Who is held back never comes back at once: that would be going round in a circle."""


@dataclass(frozen=True, slots=True)
class Apis:
    """Which API the calls of a provider go to: `host` or `host:port`. Each has a breaker of its own."""

    calls: str
    pins: str
    results: str

    @classmethod
    def at(cls, calls: str, pins: str, results: str) -> "Apis":
        """The APIs behind these URLs."""
        return cls(*(urlsplit(url).netloc.rpartition("@")[2].lower() for url in (calls, pins, results)))


class Disciplined:
    """See the module. `requests_per_second` and `polls_per_minute`, looks at its jobs, are the account's, by the wall
    clock. Threads may share it."""

    def __init__(
        self,
        provider: Provider,
        traffic: Traffic,
        clock: Clock,
        *,
        apis: Apis,
        requests_per_second: float,
        polls_per_minute: float | None = None,
    ) -> None:
        self._provider, self._traffic, self._clock, self._apis = provider, traffic, clock, apis
        self._rate, self._polls = requests_per_second, polls_per_minute
        self._limits = Limits.of(requests_per_second, speed=clock.speed, polls_per_minute=polls_per_minute)
        self._before: float | None = None
        self._looking: Looking | None = None

    def __repr__(self) -> str:
        return f"Disciplined({self._provider!r})"

    @property
    def name(self) -> str:
        """The account's name."""
        return self._provider.name

    @property
    def capabilities(self) -> Capabilities:
        return self._provider.capabilities

    @property
    def project(self) -> ProjectAddress | None:
        """Whose jobs this account's are, if that is known."""
        return self._provider.project

    def learn_project(self, project: ProjectAddress) -> None:
        self._provider.learn_project(project)

    @property
    def requests_per_second(self) -> float:
        return self._rate

    @property
    def polls_per_minute(self) -> float | None:
        return self._polls

    def by(self, before: float) -> "Disciplined":
        """The same account for a stop or an extension that is worth nothing after `before` (unix seconds)."""
        hurried = copy.copy(self)
        hurried._before = before
        return hurried

    def for_look(self, looking: Looking) -> "Disciplined":
        """The same account for a look at one of its jobs, which is counted."""
        counting = copy.copy(self)
        counting._looking = looking
        return counting

    def lanes(self) -> tuple[tuple[Lane, LaneView], ...]:
        """The lanes of this account as they stand, that of posts, stops and looks first. Asks the store alone."""
        names = dict.fromkeys((self._apis.calls, self._apis.pins, self._apis.results))
        lanes = [self._lane(api) for api in names]
        now = self._clock.now()
        uncounted = replace(self._limits, looks=None)
        limits = [self._limits if lane.api == self._apis.calls else uncounted for lane in lanes]
        return tuple(
            (lane, self._traffic.view(lane, now=now, limits=its))
            for lane, its in zip(lanes, limits, strict=True)
        )

    def close(self) -> None:
        """Close the connections of the provider, if it has any."""
        close = getattr(self._provider, "close", None)
        if close is not None:
            close()

    def balance(self) -> Balance:
        return self._call("balance", Urgency.PREPARE, self._provider.balance)

    def markets(self) -> tuple[Market, ...]:
        return self._call("markets", Urgency.LOOK, self._provider.markets)

    def market(self, market: str) -> Market:
        return self._call("market", Urgency.PREPARE, lambda: self._provider.market(market))

    def required_resources(self, market: MarketAddress) -> RequiredResources:
        return self._call(
            "required_resources", Urgency.LOOK, lambda: self._provider.required_resources(market)
        )

    def pin(self, document: bytes) -> Cid:
        return self._call("pin", Urgency.PREPARE, lambda: self._provider.pin(document), api=self._apis.pins)

    def post(
        self, *, cid: Cid, market: MarketAddress, seconds: int, node: str | None, key: IdempotencyKey
    ) -> PostedJob:
        """A post never tries whether a failing network is back: the balance is asked for instead."""
        lane = self._lane(self._apis.calls)
        answer = self._ask(lane, Urgency.POST)
        if isinstance(answer, Held) and answer.trial_wanted:
            raise self._tried("post", lane)
        return self._sent(
            "post",
            lane,
            answer,
            lambda: self._provider.post(cid=cid, market=market, seconds=seconds, node=node, key=key),
        )

    def get(self, address: RemoteAddress) -> RemoteJob:
        lane = self._lane(self._apis.calls)
        answer = self._ask(lane, Urgency.LOOK, self._looking)
        return self._sent("get", lane, answer, lambda: self._provider.get(address))

    def list_jobs(
        self,
        *,
        phase: Phase | None = None,
        market: MarketAddress | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[ListedJob, ...]:
        return self._call(
            "list_jobs",
            Urgency.LOOK,
            lambda: self._provider.list_jobs(phase=phase, market=market, limit=limit, offset=offset),
        )

    def extend(self, address: RemoteAddress, *, seconds: int, key: IdempotencyKey) -> ExtendedJob:
        return self._call(
            "extend", Urgency.EXTEND, lambda: self._provider.extend(address, seconds=seconds, key=key)
        )

    def stop(self, address: RemoteAddress, *, key: IdempotencyKey) -> StoppedJob:
        return self._call("stop", Urgency.STOP, lambda: self._provider.stop(address, key=key))

    def result(self, cid: Cid) -> JobResult:
        return self._call("result", Urgency.LOOK, lambda: self._provider.result(cid), api=self._apis.results)

    def _call(
        self, operation: str, urgency: Urgency, send: Callable[[], _T], *, api: str | None = None
    ) -> _T:
        lane = self._lane(api or self._apis.calls)
        return self._sent(operation, lane, self._ask(lane, urgency), send)

    def _lane(self, api: str) -> Lane:
        return Lane(AccountName(self.name), api)

    def _ask(self, lane: Lane, urgency: Urgency, looking: Looking | None = None) -> Admitted | Held:
        return self._traffic.admit(
            lane,
            urgency=urgency,
            now=self._clock.now(),
            limits=self._limits,
            before=self._before,
            looking=looking,
        )

    def _sent(self, operation: str, lane: Lane, answer: Admitted | Held, send: Callable[[], _T]) -> _T:
        if isinstance(answer, Held):
            raise self._held(operation, lane, answer)
        try:
            brought = send()
        except ProviderError as e:
            self._tell(lane, answer, outcome_of(e), e.retry_after)
            raise
        self._tell(lane, answer, Outcome.ANSWERED)
        return brought

    def _tried(self, operation: str, lane: Lane) -> NotSent:
        """Ask for the balance in place of a post that must wait until the network is back, and say what came of it."""
        answer = self._ask(lane, Urgency.PREPARE)
        if isinstance(answer, Held):
            return self._held(operation, lane, answer)
        with suppress(ProviderError):  # told to the traffic, which says below what follows
            self._sent("balance", lane, answer, self._provider.balance)
        now = self._clock.now()
        view = self._traffic.view(lane, now=now, limits=self._limits)
        if view.trial_at is not None:
            return self._held(operation, lane, Held(view.trial_at, HeldBy.BREAKER, failures=view.failures))
        # One call a turn: two slow ones could outlast the lease.
        text = "held back: the network is back, this goes out next"
        return NotSent(operation, text, retry_after=self._soonest)

    def _held(self, operation: str, lane: Lane, held: Held) -> NotSent:
        wait = max(held.until - self._clock.now(), self._soonest)
        return NotSent(operation, f"held back: {self._why(lane, held)}", retry_after=wait)

    def _why(self, lane: Lane, held: Held) -> str:
        match held.by:
            case HeldBy.RATE:
                return f"the rate limit of account {lane.account} ({self._rate:g} requests a second)"
            case HeldBy.LOOKS:
                return f"the looks of account {lane.account} ({self._polls:g} a minute for all its jobs)"
            case HeldBy.PAUSE:
                until = timestamp(held.paused_until)
                return f"the network asked account {lane.account} for a pause until {until} ({lane.api})"
            case HeldBy.BREAKER:
                return f"the network has failed {held.failures} times in a row ({lane.api})"

    @property
    def _soonest(self) -> float:
        return _SOONEST * self._clock.speed

    def _tell(
        self, lane: Lane, admitted: Admitted, outcome: Outcome, retry_after: float | None = None
    ) -> None:
        if outcome is Outcome.ANSWERED and not admitted.watched:
            return
        now = self._clock.now()
        try:
            changes = self._traffic.answered(
                lane, admitted, outcome, now=now, limits=self._limits, retry_after=retry_after
            )
            if changes:
                self._log(lane, changes)
        except StoreError as e:
            # What the network answered is worth more than what that says about the network.
            _log.warning("traffic_not_told", account=lane.account, api=lane.api, error=str(e))

    def _log(self, lane: Lane, changes: frozenset[Change]) -> None:
        view = self._traffic.view(lane, now=self._clock.now(), limits=self._limits)
        if Change.PAUSED in changes:
            until = timestamp(view.paused_until)
            _log.warning("account_paused", account=lane.account, api=lane.api, until=until)
        if Change.OPENED in changes:
            until = timestamp(view.trial_at)
            _log.warning("breaker_opened", api=lane.api, failures=view.failures, until=until)
        if Change.CLOSED in changes:
            _log.info("breaker_closed", api=lane.api)
