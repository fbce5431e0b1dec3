"""One function for each action of the planner: does it, and answers with the events that came of it."""

from dataclasses import dataclass
from typing import Any, assert_never

from dispatcher.domain import actions as act
from dispatcher.domain import events as ev
from dispatcher.domain.costs import final_cost
from dispatcher.domain.errors import Bug, NotFound, NotSent, ProviderError, Refused, SettingsError
from dispatcher.domain.ids import IdempotencyKey
from dispatcher.domain.job import Job, Remote
from dispatcher.domain.looking import gone, looked
from dispatcher.domain.outcome import Outcome, outcome
from dispatcher.domain.policies.ending import LONGEST_RESULT
from dispatcher.domain.retrying import ended
from dispatcher.domain.rules.polling import pressing_from
from dispatcher.domain.traffic import Looking
from dispatcher.domain.words import Phase, Reason, State
from dispatcher.engine import calls, chaining, finding, resolve
from dispatcher.engine.budget_stop import used_up
from dispatcher.engine.parts import Parts
from dispatcher.engine.placing import hold_credit, usable
from dispatcher.engine.projects import learn_project
from dispatcher.engine.waiting import waited
from dispatcher.ports.provider import JobResult, RemoteJob


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
            return Performed([hold_credit(parts, job)])
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
            end = Outcome(action.state, action.reason, detail=action.detail)
            return Performed([ended(job, end, now)])
        case act.Nothing() | act.Wait():
            raise Bug(f"there is nothing to perform in {action}")
        case _:
            assert_never(action)


def _pin(parts: Parts, job: Job) -> ev.Event:
    if parts.store.is_pinned(job.cid, job.account):
        return ev.Pinned(at=parts.clock.now(), known=True)
    document = parts.store.document(job.id)
    if document is None:
        raise Bug(f"the definition of {job.id} is not in the store")
    try:
        cid = parts.providers.account(job.account).pin(document)
    except Refused as e:
        return ended(job, Outcome(State.REJECTED, Reason.REFUSED, detail=str(e)), parts.clock.now())
    except (ProviderError, SettingsError) as e:
        return _waited(parts, Reason.AWAITING_NETWORK, e)
    if cid != job.cid:
        raise Bug(f"pinning {job.id} gave {cid} instead of {job.cid}")
    parts.store.mark_pinned(cid, job.account)
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
        hourly = usable(seen.usd_per_hour * (1 + job.quote.fee_percent / 100))
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
    over = ended(job, end, now, cost=final_cost(job), result_cid=remote.result_cid)
    return Performed([over], fetched.document if fetched else None)


def _waited(parts: Parts, reason: Reason, why: Exception) -> ev.Event:
    return waited(parts.clock.now(), reason, why)


def _remote(job: Job) -> Remote:
    if job.remote is None:
        raise Bug(f"{job.id} is not on the network")
    return job.remote
