"""What will happen to a job, told by the rules that will decide about it, on a simulated clock.

`forecast` asks `planner.plan` again and again, as a worker does, and lets the events happen that an ideal network
would bring: every call is answered at once, a host takes the job after `queued_for` and works for `runs_for`. So a
forecast is not a second description of the rules but the rules themselves, run ahead of time.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeVar, assert_never

from dispatcher.domain import actions as act
from dispatcher.domain import events as ev
from dispatcher.domain.bounds import costs
from dispatcher.domain.costs import ZERO, final_cost, first_seconds, highest_rate, why_unpostable
from dispatcher.domain.errors import Bug
from dispatcher.domain.forecast.live import lengthened, network_of, resolved
from dispatcher.domain.forecast.network import RESULT_CID, IdealNetwork
from dispatcher.domain.forecast.told import Assumed, Forecast, Step, told
from dispatcher.domain.ids import AccountName, HoldId, IdempotencyKey, JobId, MarketAddress, RemoteAddress
from dispatcher.domain.job import Call, Job, Quote
from dispatcher.domain.lifecycle import apply, create
from dispatcher.domain.looking import gone, looked
from dispatcher.domain.money import price, price_at_most
from dispatcher.domain.outcome import Outcome, outcome
from dispatcher.domain.placing import passed_over, too_dear
from dispatcher.domain.planner import plan
from dispatcher.domain.request import JobSpec
from dispatcher.domain.retrying import ended
from dispatcher.domain.words import Operation, Reason, State

_T = TypeVar("_T")
STEPS_AT_MOST: Final = 20_000
"""Decisions that are followed; a job without any limit has no last one."""


_NOBODY: Final = JobId("job_000000000000000000000000")


def forecast(
    spec: JobSpec,
    assumed: Assumed,
    now: float,
    *,
    job_id: JobId = _NOBODY,
    steps_at_most: int = STEPS_AT_MOST,
) -> Forecast:
    """Follow a job from its enqueueing at `now` (unix seconds) to its end.

    `job_id`: whose looks, and waits for a further attempt, they are; they are spread by it.
    """
    enqueued = ev.Enqueued(at=now, id=job_id, spec=spec, fingerprint="", cid=RESULT_CID)
    walk = _Walk(create(enqueued), None, assumed, now)
    walk.begin(enqueued)
    return walk.run(steps_at_most)


def forecast_job(job: Job, assumed: Assumed, now: float, *, steps_at_most: int = STEPS_AT_MOST) -> Forecast:
    """Follow a job that is there already from `now` (unix seconds) to its end.

    What it waits for is there at its next try, a call that is open is answered then, and a stop that was ordered goes
    on. `assumed.queued_for` and `assumed.runs_for` count from when it was posted and taken. The calls that are
    counted, and the log, are those from `now` on.
    """
    return _Walk(job, network_of(job, assumed, now), assumed, now).run(steps_at_most)


class _Walk:
    def __init__(self, job: Job, network: IdealNetwork | None, assumed: Assumed, now: float) -> None:
        self._assumed, self._now = assumed, now
        self._job = job
        self._log: list[ev.Event] = []
        self._network = network
        self._steps: list[Step] = []
        self._calls: Counter[str] = Counter()
        self._polls_since = 0
        self._balance_at: float | None = None
        self._markets: dict[tuple[AccountName, str], float] = {}
        posted = [job.account] if job.state is not State.ENQUEUED else []
        self._pinned = {*posted, *(attempt.account for attempt in job.earlier)}
        at_start = costs(job, now)
        self._unattended = ZERO if job.state.is_final else at_start.committed - at_start.so_far

    def begin(self, enqueued: ev.Enqueued) -> None:
        self._log.append(enqueued)
        self._tell(enqueued.kind, "intake", "")

    def run(self, steps_at_most: int) -> Forecast:
        for _ in range(steps_at_most):
            decision = plan(self._job, self._now)
            match decision.action:
                case act.Nothing():
                    break
                case act.Wait(until):
                    self._now = until
                case action:
                    for event in self._happens(action):
                        self._happen(event, decision.rule, decision.policy)
        job = self._job
        return Forecast(
            steps=tuple(self._steps),
            state=job.state,
            reason=job.reason,
            complete=job.state.is_final,
            cost=costs(job, self._now).committed,
            unattended=self._unattended,
            calls={name: count for name, count in sorted(self._calls.items()) if count},
            extends=job.extends,
            polls=self._calls["get"],
            log=tuple(self._log),
            job=job,
        )

    def _happen(self, event: ev.Event, rule: str, policy: str | None) -> None:
        event = event.model_copy(update={"rule": rule, "policy": policy})
        before, self._job = self._job, apply(self._job, event)
        self._log.append(event)
        figures = costs(self._job, self._now)
        if not self._job.state.is_final:
            self._unattended = max(self._unattended, figures.committed - figures.so_far)
        if detail := told(before, self._job, event):
            self._tell(event.kind, rule, detail, policy)

    def _tell(self, kind: str, rule: str, detail: str, policy: str | None = None) -> None:
        figures = costs(self._job, self._now)
        self._steps.append(
            Step(self._now, kind, rule, detail, figures.committed, figures.so_far, self._polls_since, policy)
        )
        self._polls_since = 0

    def _happens(self, action: act.Action) -> Iterator[ev.Event]:
        now = self._now
        match action:
            case act.Release():
                yield ev.Released(at=now, cid=self._job.cid)
            case act.HoldCredit():
                yield self._held()
            case act.Pin():
                known = self._job.account in self._pinned
                self._calls["pin"] += not known
                self._pinned.add(self._job.account)
                yield ev.Pinned(at=now, known=known)
            case act.Begin():
                yield ev.CallIntended(at=now, call=self._begun(action))
            case act.Send():
                yield self._answered()
            case act.Look():
                self._calls["get"] += 1
                self._polls_since += 1
                yield self._seen()
            case act.OrderStop():
                yield ev.StopOrdered(at=now, reason=action.reason, by="policy")
            case act.Warn():
                yield ev.Warned(at=now, limit=action.limit, share=action.share, detail=action.detail)
            case act.EndExtends():
                yield ev.ExtendsEnded(at=now, limit=action.limit, share=action.share)
            case act.GiveUp():
                yield gone(_there(self._job.remote), now)
            case act.Collect():
                yield self._collected(without_result=action.without_result)
            case act.Finish():
                yield ended(self._job, Outcome(action.state, action.reason, detail=action.detail), now)
            case act.FindPosted() | act.Adopt():
                yield self._found()
            case act.DropExtension() | act.TakeExtended() | act.Disown() | act.Park():
                yield resolved(self._job, action, now)
            case act.Nothing() | act.Wait():
                raise Bug(f"a forecast never comes to {action}")
            case _:
                assert_never(action)

    def _held(self) -> ev.Event:
        job, now = self._job, self._now
        self._ask_market(job.account, job.market)
        hourly = self._assumed.rates.get(job.market, self._assumed.rate_per_hour)
        if hourly is None:
            return self._passed(Reason.NO_PRICE, f"market {job.market} shows no usable price")
        if (dear := too_dear(job, hourly)) is not None:
            return self._passed(Reason.TOO_DEAR, dear, awaited=True)
        seconds = first_seconds(job.spec, hourly, now, job.spend.earlier)
        if seconds == 0:
            detail = "its policies do not allow the shortest posting of 1m"
            return self._passed(why_unpostable(job.spec), detail)
        self._ask_balance()
        amount = price_at_most(hourly, seconds)
        quote = Quote(
            market=MarketAddress(job.market),
            rate_per_hour=hourly,
            fee_percent=ZERO,
            seconds=seconds,
            amount=amount,
            hold=HoldId("post"),
        )
        return ev.CreditHeld(at=now, quote=quote)

    def _passed(self, reason: Reason, detail: str, *, awaited: bool = False) -> ev.Event:
        passed = passed_over(self._job, reason, detail, self._now, awaited=awaited)
        return passed or ended(self._job, Outcome(State.REJECTED, reason, detail=detail), self._now)

    def _ask_market(self, account: AccountName, market: str) -> None:
        """As the engine does: a price that is a minute old will do."""
        known = self._markets.get((account, market))
        if known is None or self._now - known > self._assumed.prices_last:
            self._markets[account, market] = self._now
            self._calls["market"] += 1

    def _ask_balance(self) -> None:
        """As the ledger's holds do: a balance that is a few seconds old will do."""
        if self._balance_at is None or self._balance_at < self._now - self._assumed.balance_lasts:
            self._balance_at = self._now
            self._calls["balance"] += 1

    def _begun(self, action: act.Begin) -> Call:
        job, amount, seconds = self._job, ZERO, action.seconds
        match action.operation:
            case Operation.POST:
                quote = _there(job.quote)
                ordinal, amount, seconds = job.posts + 1, quote.amount, quote.seconds
            case Operation.EXTEND:
                self._ask_balance()
                ordinal, amount = job.extend_calls + 1, price_at_most(highest_rate(job) or ZERO, seconds)
            case Operation.STOP:
                ordinal = job.stops + 1
            case _:
                assert_never(action.operation)
        key = IdempotencyKey(f"{action.operation}:{ordinal}")
        return Call(
            operation=action.operation,
            ordinal=ordinal,
            key=key,
            seconds=seconds,
            amount=amount,
            intended_at=self._now,
        )

    def _answered(self) -> ev.Event:
        job, now, call = self._job, self._now, _there(self._job.call)
        self._calls[call.operation.value] += 1
        amount = price(highest_rate(job) or ZERO, call.seconds)
        if call.operation is Operation.POST:
            self._network = IdealNetwork(self._assumed, now, call.seconds)
            address = RemoteAddress("forecast")
            return ev.Posted(
                at=now, key=call.key, address=address, run=None, seconds=call.seconds, amount=amount
            )
        network = self._on_network()
        if call.operation is Operation.EXTEND:
            landed = not network.is_over(now)
            if landed:
                lengthened(network, call)
            return ev.Extended(
                at=now,
                key=call.key,
                seconds=call.seconds,
                amount=amount if landed else ZERO,
                landed=landed,
            )
        how = network.outcome_of_stop(now)
        if how != "already_terminal":
            network.stopped_at = now
        return ev.StopConfirmed.model_validate({"at": now, "key": call.key, "outcome": how})

    def _found(self) -> ev.Event:
        """A post in doubt had landed: of all that can have become of it that costs the most."""
        job, now, call = self._job, self._now, _there(self._job.call)
        self._network = IdealNetwork(self._assumed, now, call.seconds)
        return ev.PostFound(
            at=now,
            key=call.key,
            address=RemoteAddress("forecast"),
            seconds=call.seconds,
            amount=price(highest_rate(job) or ZERO, call.seconds),
            by="search",
        )

    def _seen(self) -> ev.Event:
        network, remote = self._on_network(), _there(self._job.remote)
        if network.is_delisted():
            return ev.Looked(at=self._now, missing=True)
        return looked(remote, network.shown(self._now, self._job))

    def _collected(self, *, without_result: bool) -> ev.Event:
        job, now, remote = self._job, self._now, _there(self._job.remote)
        fetched = not without_result and remote.result_cid is not None
        self._calls["result"] += fetched
        end = outcome(job, remote, self._on_network().report() if fetched else None)
        return ended(job, end, now, cost=final_cost(job))

    def _on_network(self) -> IdealNetwork:
        return _there(self._network)


def _there(value: _T | None) -> _T:
    if value is None:
        raise Bug("the planner asked for a step before its time")
    return value
