"""One function for each action of the planner: does it, and answers with the events that came of it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, assert_never

from dispatcher.domain import actions as act
from dispatcher.domain import events as ev
from dispatcher.domain.costs import final_cost, first_seconds, why_unpostable
from dispatcher.domain.errors import Bug, NotFound, NotSent, ProviderError, Refused, SettingsError
from dispatcher.domain.ids import IdempotencyKey
from dispatcher.domain.job import Ending, Job, Quote, Remote
from dispatcher.domain.looking import gone, looked
from dispatcher.domain.money import format_usd, price_at_most
from dispatcher.domain.outcome import outcome
from dispatcher.domain.policies.ending import LONGEST_RESULT
from dispatcher.domain.rules.polling import pressing_from
from dispatcher.domain.traffic import Looking
from dispatcher.domain.words import Operation, Phase, Reason, State
from dispatcher.engine import calls, chaining, finding, resolve
from dispatcher.engine.budget_stop import used_up
from dispatcher.engine.money import hold, not_held
from dispatcher.engine.parts import Parts
from dispatcher.engine.projects import learn_project
from dispatcher.engine.waiting import waited
from dispatcher.ports.ledger import Held
from dispatcher.ports.provider import JobResult, Market, RemoteJob

DEAREST = Decimal(10_000)
"""US dollars. No machine costs so much an hour: a price beyond it is a fault of the network's."""


@dataclass(frozen=True, slots=True)
class Performed:
    """What came of an action; `result` is the host's result document, where one was fetched; `document` the job's
    definition, where it became another."""

    events: list[ev.Event]
    result: dict[str, Any] | None = None
    document: bytes | None = None


def perform(parts: Parts, job: Job, action: act.Action, *, found: IdempotencyKey | None = None) -> Performed:
    """Do `action` for `job`. Failures of the network and of the settings become events; the store's are raised.

    `found`: the key of the call that was open when the turn began. Events bear the time at which they are known:
    waits are counted from there, however long a call took.
    """
    now = parts.clock.now()
    match action:
        case act.Release():
            event, document = chaining.release(parts, job)
            return Performed([event], document=document)
        case act.HoldCredit():
            return Performed([_hold_credit(parts, job)])
        case act.Pin():
            return Performed([_pin(parts, job)])
        case act.Begin():
            return Performed(calls.begin(parts, job, action.operation, action.seconds))
        case act.Send():
            return Performed(calls.send(parts, job, found=found))
        case act.FindPosted():
            return Performed([finding.find(parts, job)])
        case act.Adopt():
            return Performed([resolve.adopt(parts, job, action.address)])
        case act.TakeExtended():
            return Performed([finding.take_extended(parts, job)])
        case act.Disown():
            return Performed([finding.disown(parts, job)])
        case act.Park():
            return Performed([finding.park(parts, job)])
        case act.Look():
            return Performed([_look(parts, job), *used_up(parts, job)])
        case act.OrderStop():
            return Performed([ev.StopOrdered(at=now, reason=action.reason, by="policy")])
        case act.Warn():
            warned = ev.Warned(at=now, limit=action.limit, share=action.share, detail=action.detail)
            return Performed([warned])
        case act.EndExtends():
            return Performed([ev.ExtendsEnded(at=now, limit=action.limit, share=action.share)])
        case act.DropExtension():
            return Performed([ev.ExtendDropped(at=now, seconds=action.seconds, detail=action.detail)])
        case act.GiveUp():
            return Performed([gone(_remote(job), now)])
        case act.Collect():
            return _collect(parts, job, without_result=action.without_result)
        case act.Finish():
            return Performed([_ended(parts, action.state, action.reason, action.detail)])
        case act.Nothing() | act.Wait():
            raise Bug(f"there is nothing to perform in {action}")
        case _:
            assert_never(action)


def _hold_credit(parts: Parts, job: Job) -> ev.Event:
    now = parts.clock.now()
    try:
        market = parts.markets.get(
            parts.providers,
            job.account,
            job.market,
            now=now,
            at_most=parts.pace(parts.timing.markets),
        )
    except (NotFound, Refused) as e:
        return _ended(parts, State.REJECTED, Reason.REFUSED, str(e))
    except (ProviderError, SettingsError) as e:
        return _waited(parts, Reason.AWAITING_NETWORK, e)
    hourly = _usable(market.rate_per_hour)
    if hourly is None:
        detail = f"market {market.slug} shows no usable price, so no cost can be held: choose another market"
        return _ended(parts, State.REJECTED, Reason.NO_PRICE, detail)
    seconds = first_seconds(job.spec, hourly, now)
    if seconds == 0:
        detail = (
            f"its policies do not allow the shortest posting of 1m, which costs "
            f"${format_usd(price_at_most(hourly, 60))} on market {market.slug}"
        )
        return _ended(parts, State.REJECTED, why_unpostable(job.spec), detail)
    return _hold_quote(parts, job, market, hourly, seconds)


def _hold_quote(parts: Parts, job: Job, market: Market, hourly: Decimal, seconds: int) -> ev.Event:
    amount = price_at_most(hourly, seconds)
    if job.lost_hold is not None:
        # That post did not land. Nothing is held for it any more, which is told only now that this is saved.
        parts.ledger.void(job.account, job.lost_hold)
    quote = Quote(
        market=market.address,
        rate_per_hour=hourly,
        fee_percent=market.fee_percent,
        seconds=seconds,
        amount=amount,
        hold=calls.hold_name(job.id, Operation.POST, job.posts + 1),
    )
    try:
        held = hold(parts, job, quote.hold, amount, in_line=True)
    except (ProviderError, SettingsError) as e:
        return _waited(parts, Reason.AWAITING_NETWORK, e)
    if not isinstance(held, Held):
        return not_held(parts, job, held, amount, "")
    return ev.CreditHeld(at=parts.clock.now(), quote=quote)


def _pin(parts: Parts, job: Job) -> ev.Event:
    if parts.store.is_pinned(job.cid):
        return ev.Pinned(at=parts.clock.now(), known=True)
    document = parts.store.document(job.id)
    if document is None:
        raise Bug(f"the definition of {job.id} is not in the store")
    try:
        cid = parts.providers.account(job.account).pin(document)
    except Refused as e:
        return _ended(parts, State.REJECTED, Reason.REFUSED, str(e))
    except (ProviderError, SettingsError) as e:
        return _waited(parts, Reason.AWAITING_NETWORK, e)
    if cid != job.cid:
        raise Bug(f"pinning {job.id} gave {cid} instead of {job.cid}")
    parts.store.mark_pinned(cid)
    return ev.Pinned(at=parts.clock.now(), known=False)


def _look(parts: Parts, job: Job) -> ev.Event:
    remote, pressing = _remote(job), pressing_from(job) <= parts.clock.now()
    looking = Looking.AGAIN if remote.held_until is not None else Looking.NEW
    looking = Looking.PRESSING if pressing else looking
    try:
        provider = parts.providers.account(job.account, looking=looking)
        seen = provider.get(remote.address)
        learn_project(parts, provider, job.account, seen.project)
    except NotFound:
        return ev.Looked(at=parts.clock.now(), missing=True)
    except NotSent as e:
        now = parts.clock.now()
        return ev.Looked(at=now, error=str(e), held_until=now + (e.retry_after or 0), pressing=pressing)
    except (ProviderError, SettingsError) as e:
        return ev.Looked(at=parts.clock.now(), error=str(e))
    return looked(remote, _observed(job, remote, seen, parts.clock.now()))


def _observed(job: Job, remote: Remote, seen: RemoteJob, now: float) -> ev.Observed:
    """The network's record, except where its index is known to lag behind its own answers."""
    phases = [Phase.QUEUED, Phase.RUNNING, Phase.DONE]
    phase = seen.phase
    if phase in phases and remote.phase in phases:
        phase = max(phase, remote.phase, key=phases.index)
    # What was posted and confirmed is allowed, however long the index lags: a time-out never shrinks.
    timeout = max(seen.timeout, remote.timeout)
    hourly = None
    if seen.usd_per_hour is not None and job.quote is not None:
        hourly = _usable(seen.usd_per_hour * (1 + job.quote.fee_percent / 100))
    return ev.Observed(
        at=now,
        phase=phase,
        timeout=timeout,
        started_at=seen.started_at if seen.started_at is not None else remote.started_at,
        ended_at=seen.ended_at if seen.ended_at is not None else remote.ended_at,
        node=seen.node or remote.node,
        result_cid=seen.result_cid or remote.result_cid,
        status=seen.status or remote.status,
        rate_per_hour=hourly if hourly is not None else remote.rate_per_hour,
        output_at=seen.output_at if seen.output_at is not None else remote.output_at,
        results=_asked_for(job, seen) or remote.results,
    )


def _asked_for(job: Job, seen: RemoteJob) -> dict[str, str]:
    """What is kept of the results that the network shows: the one that the policies are about, cut."""
    match = job.spec.policies.stop.result_matches
    value = None if match is None else seen.results.get(match.key)
    return {} if match is None or value is None else {match.key: str(value)[:LONGEST_RESULT]}


def _collect(parts: Parts, job: Job, *, without_result: bool) -> Performed:
    remote = _remote(job)
    fetched: JobResult | None = None
    if not without_result and remote.result_cid is not None:
        try:
            fetched = parts.providers.account(job.account).result(remote.result_cid)
        except (ProviderError, SettingsError) as e:
            return Performed([_waited(parts, Reason.AWAITING_RESULT, e)])
    end, now = outcome(job, remote, fetched.report if fetched else None), parts.clock.now()
    ending = Ending(at=now, exit_code=end.exit_code, result_cid=remote.result_cid, detail=end.detail)
    ended = ev.Ended(at=now, state=end.state, reason=end.reason, ending=ending, settled=final_cost(job))
    return Performed([ended], fetched.document if fetched else None)


def _ended(parts: Parts, state: State, reason: Reason, detail: str) -> ev.Event:
    """The end of a job that never reached the network."""
    now = parts.clock.now()
    return ev.Ended(
        at=now, state=state, reason=reason, ending=Ending(at=now, detail=detail), settled=Decimal(0)
    )


def _waited(parts: Parts, reason: Reason, why: Exception) -> ev.Event:
    return waited(parts.clock.now(), reason, why)


def _usable(hourly: Decimal | None) -> Decimal | None:
    """The price of an hour, or None for one that cannot be meant."""
    return hourly if hourly is not None and 0 < hourly <= DEAREST else None


def _remote(job: Job) -> Remote:
    if job.remote is None:
        raise Bug(f"{job.id} is not on the network")
    return job.remote
