"""Leases as a state machine: whatever workers, operators and the clock do, only the last claim saves, no command is
lost, and a job that is not over is always due."""

import fakeredis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from dispatcher.domain import events as ev
from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.ids import JobId
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import FollowUp, Reason
from dispatcher.ports.store import Claim, JobStore, Next
from dispatcher.store.memory import MemoryStore
from dispatcher.store.redis import RedisStore
from tests.store.records import DAY, LEASE, T0, extend, new_job

SECONDS = st.sampled_from([0.5, 10.0, LEASE - 0.5, LEASE + 0.5])


class Leases(RuleBasedStateMachine):
    """One job and any number of workers, who may hold claims that are long over."""

    claims = Bundle("claims")
    store: JobStore

    @initialize()
    def begin(self) -> None:
        self.store, self.now = self.made(), T0
        new = new_job(1)
        self.store.add([new])
        self.job_id: JobId = new.job.id
        self.holder: Claim | None = None
        self.until = 0.0
        self.asked = self.taken = 0

    def made(self) -> JobStore:
        return MemoryStore()

    @property
    def is_held(self) -> bool:
        return self.holder is not None and self.until > self.now

    def holds(self, claim: Claim) -> bool:
        return self.is_held and self.holder is not None and self.holder.token == claim.token

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=claims)
    def a_worker_claims(self) -> object:
        claim = self.store.claim(self.job_id, now=self.now, lease=LEASE)
        assert (claim is None) == self.is_held
        if claim is None:
            return multiple()
        assert self.holder is None or claim.token > self.holder.token
        assert len(claim.commands) == self.asked - self.taken
        self.holder, self.until = claim, self.now + LEASE
        return claim

    @rule(claim=claims, takes=st.booleans())
    def a_worker_saves(self, claim: Claim, takes: bool) -> None:
        taken = len(claim.commands) if takes and self.holds(claim) and claim is self.holder else 0
        event = ev.Waited(at=self.now, reason=Reason.AWAITING_NETWORK)
        try:
            after = self.store.save(
                claim, apply(claim.job, event), [event], now=self.now, lease=LEASE, taken=taken
            )
        except LeaseLost:
            assert not self.holds(claim)
            return
        assert self.holds(claim)
        self.taken += taken
        self.holder, self.until = after, self.now + LEASE
        assert len(after.commands) == self.asked - self.taken

    @rule(claim=claims)
    def a_worker_releases(self, claim: Claim) -> None:
        due = Next(self.now + 1000, FollowUp.POLL)
        try:
            undisturbed = self.store.release(claim, claim.job, [], now=self.now, due=due, retention=DAY)
        except LeaseLost:
            assert not self.holds(claim)
            return
        assert self.holds(claim)
        assert undisturbed == (self.asked == self.taken)
        self.until = 0.0
        found = self.store.next_due(self.job_id)
        assert found is not None
        assert found.at == (due.at if undisturbed else self.now)

    @rule()
    def an_operator_asks(self) -> None:
        if self.asked - self.taken < 90:  # a hundred may wait
            assert self.store.command(self.job_id, extend(60, at=self.now), now=self.now)
            self.asked += 1

    @rule()
    def a_sweep_takes_what_is_due(self) -> None:
        for each in self.store.take_due(now=self.now, limit=10, grace=10):
            assert each.id == self.job_id

    @invariant()
    def it_is_due(self) -> None:
        if hasattr(self, "job_id"):
            assert self.store.next_due(self.job_id) is not None


class LeasesOnRedis(Leases):
    """The same through the scripts."""

    def made(self) -> JobStore:
        return RedisStore(fakeredis.FakeRedis(server=fakeredis.FakeServer()), "test")


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLeasesOnRedis = LeasesOnRedis.TestCase
TestLeasesOnRedis.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
