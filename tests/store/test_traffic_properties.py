"""Both traffics side by side: whatever is asked in whatever order, they answer the same, and keep their promises."""

from typing import Any

import fakeredis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.domain.ids import AccountName
from dispatcher.domain.traffic import Limits, Looking, Outcome, Urgency
from dispatcher.ports.traffic import Admitted, Held, Lane, Traffic
from dispatcher.store.memory import MemoryTraffic
from dispatcher.store.redis import RedisTraffic
from tests.store.records import T0

LANES = [Lane(AccountName(name), api) for name in ("default", "other") for api in ("api.test", "pins.test")]
WAITS = st.one_of(st.just(0.0), st.floats(0, 2), st.floats(-3, 3), st.floats(0, 400))
ASKS = st.tuples(
    st.just("ask"),
    st.integers(0, 3),
    st.sampled_from(list(Urgency)),
    st.one_of(st.none(), st.floats(-10, 900)),
)
LOOKS = st.tuples(st.just("look"), st.integers(0, 3), st.sampled_from(list(Looking)), st.integers(1, 8))
ENDS = st.tuples(
    st.just("end"),
    st.integers(0, 9),
    st.sampled_from([*Outcome, Outcome.FAILED, Outcome.FAILED]),
    st.sampled_from([None, None, 0.0, 1.5, 40.0, 4000.0]),
)
BURSTS = st.tuples(st.just("burst"), st.integers(0, 3), st.sampled_from(list(Urgency)), st.integers(1, 12))
STEPS = st.tuples(WAITS, st.one_of(ASKS, LOOKS, ENDS, ENDS, BURSTS))


class Twins:
    """Two traffics that are asked the same; trials have names of their own in each."""

    def __init__(self, rate: float, speed: float) -> None:
        self.limits = Limits.of(rate, speed=speed, polls_per_minute=6 + 30 * rate)
        client = fakeredis.FakeRedis(server=fakeredis.FakeServer())
        self.traffics: tuple[Traffic, Traffic] = (MemoryTraffic(), RedisTraffic(client, "twins"))
        self.now = T0
        self.open: list[tuple[Lane, list[Admitted]]] = []

    def look(self, lane: int, looking: Looking, times: int) -> None:
        for _ in range(times):
            self.ask(lane, Urgency.LOOK, None, looking)

    def ask(self, lane: int, urgency: Urgency, before: float | None, looking: Looking | None = None) -> None:
        when = None if before is None else self.now + before
        answers: list[Any] = [
            traffic.admit(
                LANES[lane], urgency=urgency, now=self.now, limits=self.limits, before=when, looking=looking
            )
            for traffic in self.traffics
        ]
        assert _plain(answers[0]) == _plain(answers[1])
        if isinstance(answers[0], Admitted):
            self.open.append((LANES[lane], answers))
        else:
            assert isinstance(answers[0], Held)
            assert answers[0].until > self.now

    def end(self, which: int, outcome: Outcome, retry_after: float | None) -> None:
        if not self.open:
            return
        lane, admitted = self.open.pop(which % len(self.open))
        changes = [
            traffic.answered(lane, each, outcome, now=self.now, limits=self.limits, retry_after=retry_after)
            for traffic, each in zip(self.traffics, admitted, strict=True)
        ]
        assert changes[0] == changes[1]

    def burst(self, lane: int, urgency: Urgency, times: int) -> None:
        """Calls that all fail, as many as may go out."""
        for _ in range(times):
            before = len(self.open)
            self.ask(lane, urgency, None)
            if len(self.open) > before:
                self.end(-1, Outcome.FAILED, None)

    def compare(self) -> None:
        for lane in LANES:
            views = [traffic.view(lane, now=self.now, limits=self.limits) for traffic in self.traffics]
            assert views[0] == views[1]


def _plain(answer: Admitted | Held) -> tuple[Any, ...]:
    if isinstance(answer, Admitted):
        return answer.at, answer.watched, answer.breaker_open, bool(answer.trial)
    return answer.until, answer.by, answer.paused_until, answer.failures, answer.trial_wanted


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    rate=st.sampled_from([0.3, 5, 20]),
    speed=st.sampled_from([1.0, 40.0]),
    steps=st.lists(STEPS, min_size=10, max_size=60),
)
def test_both_answer_the_same(rate: float, speed: float, steps: list[Any]) -> None:
    twins = Twins(rate, speed)
    for seconds, (what, *how) in steps:
        twins.now += seconds * speed
        getattr(twins, what)(*how)
    twins.compare()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    gaps=st.lists(st.floats(0, 0.5), min_size=20, max_size=200),
    kinds=st.lists(st.sampled_from(list(Urgency)), min_size=20, max_size=200),
)
def test_no_more_go_out_than_the_rate_and_two_bursts(gaps: list[float], kinds: list[Urgency]) -> None:
    """One burst that was saved up, and one that stops may overdraw."""
    traffic, limits, now, gone = MemoryTraffic(), Limits.of(5), T0, 0
    for gap, urgency in zip(gaps, kinds, strict=False):
        now += gap
        gone += isinstance(traffic.admit(LANES[0], urgency=urgency, now=now, limits=limits), Admitted)
        assert gone <= 2 * limits.burst + (now - T0) * limits.rate + 0.01
