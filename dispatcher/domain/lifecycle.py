"""The life of a job: which event may come in which state, and what it makes of the record.

`transitions.TRANSITIONS` is the whole truth about states; `apply` consults it for every event and refuses what it
does not hold. What an event makes of the other fields stands here.
"""

from collections.abc import Iterable
from typing import Any, assert_never

from dispatcher.domain import events as ev
from dispatcher.domain import unkeyed
from dispatcher.domain.effects import attempts, policies
from dispatcher.domain.effects.calls import again, denied, intended, without_first
from dispatcher.domain.effects.network import adopted, extended, looked, posted
from dispatcher.domain.effects.record import looked_at_afresh, on_network, open_call, stop_order
from dispatcher.domain.effects.waits import UNPOSTED, short, waiting
from dispatcher.domain.errors import Bug
from dispatcher.domain.job import Job, StopOrder
from dispatcher.domain.transitions import TRANSITIONS
from dispatcher.domain.words import MONEY_WAITS, Reason, State


def create(event: ev.Enqueued) -> Job:
    """The record of a job that was just enqueued."""
    return Job(
        id=event.id,
        spec=event.spec,
        fingerprint=event.fingerprint,
        cid=event.cid,
        stamped=event.stamped,
        reason=Reason.AWAITING_JOBS if event.spec.after else Reason.NEW,
        created_at=event.at,
        updated_at=event.at,
    )


def apply(job: Job, event: ev.Event) -> Job:
    """The record after `event`. Raises `Bug` for an event that the transition table does not allow."""
    allowed = TRANSITIONS[job.state].get(event.kind)
    if allowed is None:
        raise Bug(f"{event.kind} cannot happen to a job that is {job.state} ({job.id})")
    changes = _changes(job, event)
    state = changes.get("state", job.state)
    if state not in allowed:
        raise Bug(f"{event.kind} cannot lead from {job.state} to {state} ({job.id})")
    return job.model_copy(update={**changes, "updated_at": event.at, "version": job.version + 1})


def replay(log: Iterable[ev.Event]) -> Job:
    """The record that a whole log leads to (`eventlog.is_whole`); the first event must be `Enqueued`."""
    job: Job | None = None
    for event in log:
        if job is None:
            if not isinstance(event, ev.Enqueued):
                raise Bug(f"a log starts with enqueued, not with {event.kind}")
            job = create(event)
        else:
            job = apply(job, event)
    if job is None:
        raise Bug("an empty log leads to no job")
    return job


def _ordered(job: Job, event: ev.StopOrdered) -> StopOrder:
    """An operator's order takes the place of a policy's; what the network said to the stop stays."""
    if job.stop is None:
        return StopOrder(reason=event.reason, by=event.by, at=event.at)
    return job.stop.model_copy(update={"reason": event.reason, "by": event.by, "at": event.at})


def _changes(job: Job, event: ev.Event) -> dict[str, Any]:
    match event:
        case ev.Enqueued():
            raise Bug(f"{job.id} is enqueued already")
        case ev.Waited():
            changes = {"wait": waiting(job, event), "reason": event.reason}
            if event.reason is Reason.AWAITING_PRICE:
                changes |= attempts.all_passed(job)
            return changes | (short(job, event.at) if event.reason in MONEY_WAITS else {})
        case ev.Woken():
            afresh = {"last": 0.0, "retry_at": None}
            return {"wait": None if job.wait is None else job.wait.model_copy(update=afresh)}
        case ev.CreditHeld():
            return {"quote": event.quote, "wait": None, "reason": Reason.NEW}
        case ev.Pinned():
            return {"state": State.PINNED, "wait": None, "reason": Reason.NEW}
        case ev.CallIntended():
            return intended(job, event)
        case ev.CallUndecided() | ev.CallExpired():
            return again(job, event)
        case ev.CallUndone() | ev.CallNotFound():
            return unkeyed.gone(job, open_call(job, event.key), event)
        case ev.CallSought() | ev.CallUnresolved():
            return unkeyed.sought(open_call(job, event.key), event)
        case ev.ResolveOrdered() | ev.ResolveDropped():
            return unkeyed.resolving(job, event)
        case ev.CallRefused() | ev.CallShort():
            return denied(job, event)
        case ev.Posted() | ev.PostFound():
            return posted(job, event)
        case ev.Extended():
            return extended(job, event)
        case ev.StopConfirmed():
            order = stop_order(job).model_copy(update={"outcome": event.outcome, "confirmed_at": event.at})
            return {"stop": order, "call": None, "wait": None, "remote": looked_at_afresh(on_network(job))}
        case ev.Observed() | ev.Looked():
            return looked(job, event)
        case ev.StopOrdered():
            return {
                "stop": _ordered(job, event),
                "reason": Reason.UNRESOLVED if unkeyed.is_parked(job) else Reason.STOP_REQUESTED,
                "extend_ordered": (),
                "remote": None if job.remote is None else looked_at_afresh(job.remote),
            }
        case ev.ExtendOrdered():
            return {"extend_ordered": (*job.extend_ordered, event.seconds)}
        case ev.ExtendDropped():
            return {"extend_ordered": without_first(job.extend_ordered, event.seconds)}
        case ev.Adopted():
            return adopted(job, event)
        case ev.Mended() | ev.PoliciesKept():
            return {}
        case ev.PoliciesChanged():
            return policies.policies_changed(job, event)
        case ev.Warned():
            return policies.warned(job, event)
        case ev.ExtendsEnded():
            return policies.extends_ended(event)
        case ev.BudgetUsedUp():
            return policies.budget_used_up(event)
        case ev.Released():
            return attempts.released(event)
        case ev.Moved():
            return attempts.moved(job, event)
        case ev.AttemptEnded():
            return attempts.attempt_ended(job, event)
        case ev.Ended():
            if job.state in UNPOSTED and event.state is State.FAILED and event.reason is not Reason.DROPPED:
                raise Bug(f"ended cannot lead from {job.state} to failed, unless it is dropped ({job.id})")
            return {
                "state": event.state,
                "reason": event.reason,
                "ending": event.ending,
                "spend": job.spend.model_copy(update={"settled": event.settled}),
                "call": None,
                "wait": None,
            }
        case _:
            assert_never(event)
