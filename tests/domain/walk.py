"""Random walks through the life of a job: the planner's word is done against a model of the network.

Half of the networks know no idempotency keys: there nothing may be done twice by a second call.

The model network does what the real one may do: answers get lost after they landed, keys expire, credit is short,
the index lags, hosts quit, records vanish. All chance comes from a seed. After `faults` faults it behaves, so that
every walk ends.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, Final

from dispatcher.domain import events as ev
from dispatcher.domain.actions import (
    Action,
    Adopt,
    Begin,
    Collect,
    Disown,
    DropExtension,
    EndExtends,
    FindPosted,
    Finish,
    GiveUp,
    HoldCredit,
    Look,
    Nothing,
    OrderStop,
    Park,
    Pin,
    Release,
    Send,
    TakeExtended,
    Wait,
    Warn,
)
from dispatcher.domain.changing import change
from dispatcher.domain.costs import extension_refusal, final_cost, first_seconds, highest_rate
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.lifecycle import apply, create
from dispatcher.domain.money import price, price_at_most
from dispatcher.domain.outcome import Outcome, RunReport, outcome
from dispatcher.domain.placing import passed_over
from dispatcher.domain.planner import plan
from dispatcher.domain.retrying import ended
from dispatcher.domain.rules.pace import call_retry
from dispatcher.domain.unkeyed import resolution_refusal
from dispatcher.domain.words import Operation, Phase, Reason, State
from tests.domain import made
from tests.domain.made import RATE, RESULT, T0

CHANGES: Final[list[dict[str, Any]]] = [
    {"extend": {"by": "5m", "max_times": 3}},
    {"extend": None},
    {"quantum": "10m"},
    {"quantum": None},
    {"stop": {"after": "20m"}},
    {"stop": {"max_cost": "1"}},
    {"stop": {"max_cost": "0.1", "soft": {"warn": 0.5, "no_extends": 0.5}}},
    {"stop": None},
    {"retry": {"on": ["failed", "timed_out"], "attempts": 4, "elsewhere": [{"market": "nvidia-a100"}]}},
    {"retry": {"elsewhere": []}},
    {"retry": None},
    {"credit": {"when_short": "wait", "max_rate_per_hour": "5"}},
]
"""What operators lay upon a job's policies."""


@dataclass
class Network:
    """What is true, whatever the index shows. Times are unix seconds."""

    takes_at: float
    runs_for: float
    seen_from: float
    result_after: float | None
    host_quits: bool
    rate: Decimal = RATE
    timeout: int = 0
    reserved: Decimal = Decimal(0)
    stopped_at: float | None = None
    forgotten: bool = False
    landed: dict[str, ev.Event] = field(default_factory=dict)

    @property
    def ends_at(self) -> float:
        own = self.takes_at + min(self.runs_for, self.timeout)
        return own if self.stopped_at is None else max(min(own, self.stopped_at), self.takes_at)

    def phase(self, now: float) -> Phase:
        if self.stopped_at is not None and self.stopped_at < self.takes_at:
            return Phase.GONE
        if now < self.takes_at:
            return Phase.QUEUED
        if now < self.ends_at:
            return Phase.RUNNING
        return Phase.HOST_QUIT if self.host_quits and self.stopped_at is None else Phase.DONE


class Walk:
    """One job, one network, one clock. `step` does what the planner says, and answers with its action."""

    def __init__(self, enqueued: ev.Enqueued, seed: int, faults: int) -> None:
        self._chance, self._faults = Random(seed), faults
        chance = self._chance
        self.keyed = Random(f"keys {seed}").random() < 0.5
        self._how_often = chance.choice([0.03, 0.2, 0.6])
        self.now = T0 + chance.uniform(0, 100)
        self.log: list[ev.Event] = [enqueued]
        self.job = create(enqueued)
        self.actions: list[tuple[float, Action]] = []
        self.always: tuple[Operation, str] | None = None
        """A fault that every call of this kind meets, for ever."""
        self.network = self._fate()
        self.policies = [enqueued.spec.policies]
        """All that it was ever under."""
        self.over: list[Network] = []
        """Those of earlier attempts."""

    def _fate(self) -> Network:
        """What becomes of an attempt."""
        chance = self._chance
        return Network(
            takes_at=self.now + chance.choice([0, 10, 600, 7200]),
            runs_for=chance.choice([1, 100, 3000, 8000]),
            seen_from=self.now + chance.choice([0, 0, 20, 90]),
            result_after=chance.choice([None, 0, 5, 40, 300]),
            host_quits=chance.random() < 0.1,
        )

    def happen(self, *events: ev.Event) -> None:
        for event in events:
            self.job = apply(self.job, event)
            self.log.append(event)
            if isinstance(event, ev.AttemptEnded):
                posted = any(":post:" in key for key in self.network.landed)
                alive = posted and self.network.phase(self.now) in (Phase.QUEUED, Phase.RUNNING)
                assert not alive, f"attempt {event.attempt} lives on: {event}"
                self.over.append(self.network)
                self.network = self._fate()

    def step(self) -> Action:
        """Plan, and do it: a wait moves the clock (now and then too far), everything else takes a moment."""
        action = plan(self.job, self.now).action
        self.actions.append((self.now, action))
        match action:
            case Wait(until):
                self.now = until + (
                    self._chance.choice([0, 0, 0, 0.2, 30, 4000]) if self._goes_wrong() else 0
                )
            case Nothing():
                pass
            case _:
                self.happen(*self._done(action))
        return action

    def command(self) -> None:
        """An operator asks for something, as the engine takes it in."""
        if self.job.state.is_final:
            return
        if self.job.call is not None and self.job.call.search is not None and self._chance.random() < 0.3:
            self._resolve()
            return
        match self._chance.choice(["stop", "extend", "extend", "retry", "mended", "policies", "policies"]):
            case "policies":
                self.happen(*self._changed())
            case "stop" if self.job.stop is None:
                self.happen(made.ordered_stop(at=self.now))
            case "extend":
                seconds = self._chance.choice([-5, 0, 1, 60, 600, 10**6])
                refusal = extension_refusal(self.job, seconds)
                if refusal is None:
                    self.happen(ev.ExtendOrdered(at=self.now, seconds=seconds, by="tester"))
                else:
                    self.happen(ev.ExtendDropped(at=self.now, seconds=seconds, detail=refusal))
            case "retry" if self.job.wait is not None:
                self.happen(ev.Woken(at=self.now, by="credit"))
            case "mended":
                self.happen(ev.Mended(at=self.now, what="it was not on the agenda"))
            case _:
                pass

    def _changed(self) -> list[ev.Event]:
        """Policies are laid upon those that the job has, as the engine does it."""
        part = self._chance.choice(CHANGES)
        try:
            found = change(self.job, part, self.now)
        except InvalidRequest as e:
            return [ev.PoliciesKept(at=self.now, detail=str(e), by="tester")]
        if not found.changed:
            return []
        place = None if found.place == self.job.place else found.place
        self.policies.append(found.policies)
        policies, changed = found.policies, found.changed
        return [ev.PoliciesChanged(at=self.now, policies=policies, changed=changed, by="tester", place=place)]

    def _resolve(self) -> None:
        """A person says what became of a post in doubt: the truth, or another job's address."""
        if resolution_refusal(self.job) is not None:
            return
        if self._chance.random() < 0.3:
            self.happen(ev.ResolveOrdered(at=self.now, address=made.NODE, by="tester"))
        elif made.open_call(self.job).key in self.network.landed:
            self.happen(ev.ResolveOrdered(at=self.now, address=made.ADDRESS, by="tester"))
        else:
            self.happen(made.not_found(self.job, at=self.now))

    def _goes_wrong(self) -> bool:
        if self._faults == 0 or self._chance.random() > self._how_often:
            return False
        self._faults -= 1
        return True

    def _waits(self, reason: Reason) -> list[ev.Event]:
        return [made.waited(reason, at=self.now)]

    def _done(self, action: Action) -> list[ev.Event]:
        job, now = self.job, self.now
        match action:
            case Release():
                return [self._released()]
            case HoldCredit():
                if self._goes_wrong():
                    if self._chance.random() < 0.5:
                        return self._passed()
                    return self._waits(self._chance.choice([Reason.AWAITING_CREDIT, Reason.AWAITING_NETWORK]))
                if first_seconds(job.spec, RATE, now, job.spend.earlier) == 0:
                    return self._ended(State.REJECTED, Reason.MAX_COST)
                return [made.held(job, at=now)]
            case Pin():
                return (
                    self._waits(Reason.AWAITING_NETWORK)
                    if self._goes_wrong()
                    else [ev.Pinned(at=now, known=False)]
                )
            case Begin(Operation.EXTEND, seconds):
                return self._begin_extension(seconds)
            case Begin(operation):
                return [made.intended(job, operation, at=now)]
            case Send():
                return self._send()
            case Look():
                return [self._look(), *self._budget()]
            case FindPosted():
                return [self._find()]
            case Adopt(address):
                if self._goes_wrong():
                    return [made.sought(job, "cut", at=now)]
                if address != made.ADDRESS:
                    return [ev.ResolveDropped(at=now, detail="another job")]
                return [made.found(job, at=now)]
            case Disown():
                return [made.not_found(job, at=now)]
            case Park():
                return [made.unresolved(job, at=now)]
            case TakeExtended():
                return [made.extended(job, at=now)]
            case OrderStop(reason):
                return [ev.StopOrdered(at=now, reason=reason, by="policy")]
            case Warn(limit, share, detail):
                return [ev.Warned(at=now, limit=limit, share=share, detail=detail)]
            case EndExtends(limit, share):
                return [ev.ExtendsEnded(at=now, limit=limit, share=share)]
            case DropExtension(seconds, detail):
                return [ev.ExtendDropped(at=now, seconds=seconds, detail=detail)]
            case GiveUp():
                return [made.observed(job, Phase.GONE, at=now)]
            case Collect(without_result):
                return self._collect(without_result=without_result)
            case Finish(state, reason):
                return self._ended(state, reason)
            case _:
                raise AssertionError(f"there is nothing to do in {action}")

    def _released(self) -> ev.Event:
        """The jobs before it are over, or not yet; or one of them ended badly."""
        if self._goes_wrong():
            if self._chance.random() < 0.2:
                return self._ended(State.REJECTED, Reason.UPSTREAM)[0]
            return made.waited(Reason.AWAITING_JOBS, at=self.now)
        return ev.Released(at=self.now, cid=made.CID)

    def _passed(self) -> list[ev.Event]:
        """The place asks for too much: the next one is asked, or none is left."""
        awaited = self._chance.random() < 0.7
        passed = passed_over(self.job, Reason.TOO_DEAR, "dear", self.now, awaited=awaited)
        return self._ended(State.REJECTED, Reason.TOO_DEAR) if passed is None else [passed]

    def _budget(self) -> list[ev.Event]:
        scope = self.job.spec.policies.stop.budget
        if scope is None or self.job.budget_used_up == scope or not self._goes_wrong():
            return []
        return [ev.BudgetUsedUp(at=self.now, scope=scope, detail="nothing is left")]

    def _begin_extension(self, seconds: int) -> list[ev.Event]:
        if self._goes_wrong():
            return self._waits(self._chance.choice([Reason.AWAITING_CREDIT, Reason.AWAITING_NETWORK]))
        event = made.intended(self.job, Operation.EXTEND, seconds, at=self.now)
        amount = price_at_most(highest_rate(self.job) or RATE, seconds)
        return [event.model_copy(update={"call": event.call.model_copy(update={"amount": amount})})]

    def _send(self) -> list[ev.Event]:
        job, call = self.job, made.open_call(self.job)
        self.now += self._chance.choice([0, 0.2, 5])
        now, answer = self.now, None
        fault = (
            self._chance.choice(["lost", "cut", "expired", "refused", "short"])
            if self._goes_wrong()
            else None
        )
        if self.always is not None and self.always[0] is call.operation:
            fault = self.always[1]
        keyed = self.keyed or call.operation is Operation.STOP or self.always is not None
        if call.key in self.network.landed:
            assert keyed, f"{call.key} is sent again"
            fault = "cut" if fault is not None else None
        if fault in (None, "lost"):
            if call.key not in self.network.landed:
                self.network.landed[call.key] = self._land()
            answer = self.network.landed[call.key]
        match fault:
            case None:
                assert answer is not None
                return [answer.model_copy(update={"at": now})]
            case "expired" if keyed and not (call.operation is Operation.POST and job.stop is not None):
                retry_at = now if call.epoch == 1 else now + call_retry(job, call.epoch, None, None)
                return [made.expired(job, at=now, retry_at=retry_at)]
            case "refused":
                stopping = call.operation is Operation.STOP
                return [made.refused(job, at=now), *(self._waits(Reason.STOP_REQUESTED) if stopping else [])]
            case "short" if call.operation is not Operation.STOP:
                return [made.short(job, at=now)]
            case "expired" if not keyed:
                return [made.undone(job, at=now, retry_at=now + self._chance.choice([0, 30]))]
            case "lost" | "cut" if not keyed:
                return [made.doubtful(job, at=now)]
            case _:
                wish = self._chance.choice([None, None, 0, 7, 60])
                left = (
                    None if job.remote is None or job.remote.deadline is None else job.remote.deadline - now
                )
                return [
                    made.undecided(job, at=now, retry_at=now + call_retry(job, call.tries + 1, wish, left))
                ]

    def _land(self) -> ev.Event:
        """The call has its effect on the network; the answer says which."""
        job, network, now = self.job, self.network, self.now
        call = made.open_call(job)
        told = {event.key for event in self.log if isinstance(event, ev.Posted | ev.PostFound | ev.Extended)}
        again = {key for key in network.landed if f":{call.operation}:" in key} - told
        assert not again or call.operation is Operation.STOP, f"{call.key} does again what {again} did"
        over = call.operation is not Operation.POST and network.phase(now) not in (
            Phase.QUEUED,
            Phase.RUNNING,
        )
        match call.operation:
            case Operation.POST:
                network.timeout = call.seconds
                network.takes_at, network.seen_from = max(network.takes_at, now), max(network.seen_from, now)
                network.reserved += price(network.rate, call.seconds)
                return made.posted(job, at=now)
            case Operation.EXTEND:
                if not over:
                    network.timeout += call.seconds
                    network.reserved += price(network.rate, call.seconds)
                return made.extended(job, at=now, landed=not over)
            case Operation.STOP:
                queued = network.phase(now) is Phase.QUEUED
                network.stopped_at = now if not over else network.stopped_at
                return made.confirmed(
                    job, "already_terminal" if over else "delisted" if queued else "ended", at=now
                )

    def _find(self) -> ev.Event:
        self.now += self._chance.choice([0, 0.2, 5])
        if self._goes_wrong():
            return made.sought(self.job, "cut", at=self.now, hopeless=self._chance.random() < 0.1)
        landed = made.open_call(self.job).key in self.network.landed
        if landed and self.now >= self.network.seen_from:
            return made.found(self.job, at=self.now)
        return made.sought(self.job, at=self.now)

    def _look(self) -> ev.Event:
        job, network = self.job, self.network
        self.now += self._chance.choice([0, 0.2, 5])
        now, phase = self.now, network.phase(self.now)
        assert job.remote is not None
        if self._goes_wrong():
            if self._chance.random() < 0.1:
                network.forgotten = True
            return ev.Looked(at=now, error="cut")
        if now < network.seen_from or phase is Phase.GONE or network.forgotten:
            return ev.Looked(at=now, missing=True)
        over = phase in (Phase.DONE, Phase.HOST_QUIT)
        with_result = (
            over and network.result_after is not None and now >= network.ends_at + network.result_after
        )
        event = made.observed(
            job,
            phase,
            at=now,
            timeout=network.timeout,
            started_at=None if phase is Phase.QUEUED else network.takes_at,
            ended_at=network.ends_at if over else None,
            result_cid=RESULT if with_result else None,
            rate_per_hour=network.rate if phase is not Phase.QUEUED else None,
        )
        same = job.remote.seen_at is not None and all(
            getattr(job.remote, name) == value for name, value in event.shown().items()
        )
        return ev.Looked(at=now) if same else event

    def _collect(self, *, without_result: bool) -> list[ev.Event]:
        remote = self.job.remote
        assert remote is not None
        if not without_result and self._goes_wrong():
            return self._waits(Reason.AWAITING_RESULT)
        code = 3 if self._chance.random() < 0.2 else 0
        report = None if without_result else RunReport("failed" if code else "success", code)
        end = outcome(self.job, remote, report)
        return self._ended(end.state, end.reason, final_cost(self.job))

    def _ended(self, state: State, reason: Reason, cost: Decimal = Decimal(0)) -> list[ev.Event]:
        return [ended(self.job, Outcome(state, reason), self.now, cost=cost)]
