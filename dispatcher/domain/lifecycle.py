"""The life of a job: which event may come in which state, and what it makes of the record.

`transitions.TRANSITIONS` is the whole truth about states; `apply` consults it for every event and refuses what it
does not hold. What an event makes of the other fields stands here.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, assert_never

from dispatcher.domain import events as ev
from dispatcher.domain import unkeyed
from dispatcher.domain.errors import Bug
from dispatcher.domain.job import (
    MONEY_WAITS,
    Call,
    Job,
    Operation,
    Phase,
    Reason,
    Remote,
    Search,
    Spend,
    State,
    StopOrder,
    Wait,
)
from dispatcher.domain.transitions import TRANSITIONS

_UNPOSTED = frozenset({State.ENQUEUED, State.PINNED, State.POSTING})


def create(event: ev.Enqueued) -> Job:
    """The record of a job that was just enqueued."""
    return Job(
        id=event.id,
        spec=event.spec,
        fingerprint=event.fingerprint,
        cid=event.cid,
        stamped=event.stamped,
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


def _changes(job: Job, event: ev.Event) -> dict[str, Any]:
    match event:
        case ev.Enqueued():
            raise Bug(f"{job.id} is enqueued already")
        case ev.Waited():
            waiting = {"wait": _waiting(job, event), "reason": event.reason}
            return waiting | (_short(job, event.at) if event.reason in MONEY_WAITS else {})
        case ev.Woken():
            afresh = {"last": 0.0, "retry_at": None}
            return {"wait": None if job.wait is None else job.wait.model_copy(update=afresh)}
        case ev.CreditHeld():
            return {"quote": event.quote, "wait": None, "reason": Reason.NEW}
        case ev.Pinned():
            return {"state": State.PINNED, "wait": None, "reason": Reason.NEW}
        case ev.CallIntended():
            return _intended(job, event)
        case ev.CallUndecided() | ev.CallExpired():
            return _again(job, event)
        case ev.CallUndone() | ev.CallNotFound():
            return unkeyed.gone(job, _open(job, event.key), event)
        case ev.CallSought() | ev.CallUnresolved():
            return unkeyed.sought(_open(job, event.key), event)
        case ev.ResolveOrdered() | ev.ResolveDropped():
            return unkeyed.resolving(job, event)
        case ev.CallRefused() | ev.CallShort():
            return _denied(job, event)
        case ev.Posted() | ev.PostFound():
            return _posted(job, event)
        case ev.Extended():
            return _extended(job, event)
        case ev.StopConfirmed():
            order = _order(job).model_copy(update={"outcome": event.outcome, "confirmed_at": event.at})
            return {"stop": order, "call": None, "wait": None, "remote": _looked_at_afresh(_on_network(job))}
        case ev.Observed() | ev.Looked():
            return _looked(job, event)
        case ev.StopOrdered():
            return {
                "stop": StopOrder(reason=event.reason, by=event.by, at=event.at),
                "reason": Reason.UNRESOLVED if unkeyed.is_parked(job) else Reason.STOP_REQUESTED,
                "extend_ordered": (),
                "remote": None if job.remote is None else _looked_at_afresh(job.remote),
            }
        case ev.ExtendOrdered():
            return {"extend_ordered": (*job.extend_ordered, event.seconds)}
        case ev.ExtendDropped():
            return {"extend_ordered": _without_first(job.extend_ordered, event.seconds)}
        case ev.Adopted():
            return _adopted(job, event)
        case ev.Mended():
            return {}
        case ev.Ended():
            if job.state in _UNPOSTED and event.state is State.FAILED and event.reason is not Reason.DROPPED:
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


def _looked_at_afresh(remote: Remote) -> Remote:
    """Something was asked of the network: it is looked at often again, however long nothing had changed."""
    return remote.model_copy(update={"unchanged_looks": 0})


def _short(job: Job, at: float) -> dict[str, Any]:
    return {"short_since": at} if job.state in _UNPOSTED and job.short_since is None else {}


def _waiting(job: Job, event: ev.Waited) -> Wait:
    if job.wait is not None and job.wait.reason is event.reason:
        return job.wait.model_copy(
            update={
                "last": event.at,
                "tries": job.wait.tries + int(event.sent),
                "detail": event.detail,
                "short_usd": event.short_usd,
                "scope": event.scope,
                "retry_at": event.retry_at,
            }
        )
    return Wait(
        reason=event.reason,
        since=event.at,
        last=event.at,
        tries=int(event.sent),
        detail=event.detail,
        short_usd=event.short_usd,
        scope=event.scope,
        retry_at=event.retry_at,
    )


def _intended(job: Job, event: ev.CallIntended) -> dict[str, Any]:
    call = event.call
    match call.operation:
        case Operation.POST:
            changes = {"call": call, "state": State.POSTING, "posts": call.ordinal, "wait": None}
            # What it waited for last, a frozen account, is behind it.
            return changes | ({"reason": Reason.NEW} if job.reason in MONEY_WAITS else {})
        case Operation.EXTEND:
            if job.call is not None:
                raise Bug(f"an extension cannot start while a call of {job.id} is open")
            # An order goes before the policy: while there is one, no other extension is begun.
            now_allowed = job.remote.timeout if job.remote is not None else 0
            call = call.model_copy(update={"ordered": bool(job.extend_ordered), "adds_to": now_allowed})
            return {"call": call, "extend_calls": call.ordinal, "reason": Reason.EXTENDING, "wait": None}
        case Operation.STOP:
            if job.call is not None and job.call.operation is Operation.POST:
                raise Bug(f"a stop cannot start while the post of {job.id} is open")
            _order(job)
            # What refused stops wait for is kept: its tries are the ladder that they climb.
            refused = job.wait if job.wait is not None and job.wait.reason is Reason.STOP_REQUESTED else None
            changes = {"call": call, "state": State.STOPPING, "stops": call.ordinal, "wait": refused}
            if job.call is not None and job.call.operation is Operation.EXTEND:
                doubtful = job.spend.doubtful + job.call.amount
                changes["spend"] = job.spend.model_copy(update={"doubtful": doubtful})
            return changes
        case _:
            assert_never(call.operation)


def _reserved(job: Job, amount: Decimal) -> Spend:
    return job.spend.model_copy(update={"posted": job.spend.posted + amount})


def _again(job: Job, event: ev.CallUndecided | ev.CallExpired) -> dict[str, Any]:
    call = _open(job, event.key)
    update: dict[str, Any] = {"held": None, "unsent_until": None}
    if isinstance(event, ev.CallUndecided) and event.sent:
        update |= {"tries": call.tries + 1, "retry_at": event.retry_at, "error": event.error}
        if event.doubtful:
            update["search"] = Search(since=event.at)
    elif isinstance(event, ev.CallUndecided):
        unsent_until = None if event.in_doubt else event.retry_at
        update = {"retry_at": event.retry_at, "held": event.error, "unsent_until": unsent_until}
    else:
        update |= {
            "epoch": call.epoch + 1,
            "key": event.next_key,
            "tries": 0,
            "retry_at": event.retry_at,
            "error": event.error,
        }
    return {"call": call.model_copy(update=update)}


def _denied(job: Job, event: ev.CallRefused | ev.CallShort) -> dict[str, Any]:
    call = _open(job, event.key)
    changes: dict[str, Any] = {"call": None}
    if isinstance(event, ev.CallShort):
        changes["wait"] = Wait(
            reason=Reason.AWAITING_CREDIT,
            since=event.at,
            last=event.at,
            tries=call.ordinal if call.operation is Operation.POST else 1,
            detail=event.error,
            short_usd=event.short_usd,
        )
        changes["reason"] = Reason.AWAITING_CREDIT
        if call.operation is Operation.POST:
            changes |= {"state": State.ENQUEUED, "quote": None, **_short(job, event.at)}
    elif call.operation is Operation.POST:
        changes |= {"state": State.PINNED, "reason": Reason.REFUSED, "post_refused": event.error}
    elif call.operation is Operation.EXTEND:
        changes["reason"] = _alive(job)
        if call.ordered:
            changes["extend_ordered"] = _without_first(job.extend_ordered, call.seconds)
        else:
            changes["extend_refused"] = event.error
    return changes


def _posted(job: Job, event: ev.Posted | ev.PostFound) -> dict[str, Any]:
    _open(job, event.key)
    remote = Remote(
        address=event.address,
        run=event.run if isinstance(event, ev.Posted) else None,
        posted_at=event.at,
        looked_at=event.at,
        changed_at=event.at,
        timeout=event.seconds,
    )
    return {
        "state": State.QUEUED,
        "reason": Reason.STOP_REQUESTED if job.stop else Reason.AWAITING_INDEX,
        "call": None,
        "short_since": None,
        "remote": remote,
        "spend": _reserved(job, event.amount),
    }


def _adopted(job: Job, event: ev.Adopted) -> dict[str, Any]:
    if job.call is not None or job.stop is not None:
        raise Bug(f"{job.id} cannot go on as another while something is asked of the one that it has")
    # It waits for a host for as long as the job does. What was paid for the other stays counted: both were posted.
    remote = Remote(
        address=event.address,
        posted_at=_on_network(job).posted_at,
        looked_at=event.at,
        changed_at=event.at,
        timeout=event.seconds,
    )
    return {
        "state": State.QUEUED,
        "reason": Reason.AWAITING_INDEX,
        "wait": None,
        "remote": remote,
        "spend": _reserved(job, event.amount),
    }


def _extended(job: Job, event: ev.Extended) -> dict[str, Any]:
    call, remote = _open(job, event.key), _on_network(job)
    changes: dict[str, Any] = {"call": None, "wait": None, "reason": _alive(job)}
    if call.ordered:
        changes["extend_ordered"] = _without_first(job.extend_ordered, call.seconds)
    if event.landed:
        longer = {
            "timeout": max(call.adds_to + event.seconds, remote.timeout),
            "extended_at": event.at,
            "changed_at": event.at,
            "unchanged_looks": 0,
        }
        changes["remote"] = remote.model_copy(update=longer)
        changes["extends"] = job.extends + 1
        changes["extra"] = job.extra + (event.seconds if call.ordered else 0)
        changes["spend"] = _reserved(job, event.amount)
    else:
        # The record still shows it alive: it is looked at soon, and not extended again unless the record changes.
        changes["remote"] = _looked_at_afresh(remote)
        changes["reason"] = Reason.AWAITING_RESULT
        changes["wait"] = Wait(
            reason=Reason.AWAITING_RESULT,
            since=event.at,
            last=event.at,
            detail="the network says that the job is over already",
        )
    return changes


def _looked(job: Job, event: ev.Observed | ev.Looked) -> dict[str, Any]:
    remote = _on_network(job)
    if isinstance(event, ev.Looked) and event.held_until is not None:
        held = {"error": event.error, "held_until": event.held_until}
        return {"remote": remote.model_copy(update=held)}
    if isinstance(event, ev.Looked):
        update: dict[str, Any] = {
            "looked_at": event.at,
            "unchanged_looks": remote.unchanged_looks + 1,
            "error": event.error,
            "held_until": None,
        }
        if event.missing:
            update["missing_since"] = remote.missing_since if remote.missing_since is not None else event.at
        elif event.error is None:
            update |= {"seen_at": event.at, "missing_since": None}
        told_nothing = event.error or ("the index does not have the job" if event.missing else None)
        searched = unkeyed.looked(job, event.at, told_nothing)
        return {"remote": remote.model_copy(update=update), **searched}
    seen = event.shown() | {
        "looked_at": event.at,
        "changed_at": event.at,
        "unchanged_looks": 0,
        "error": None,
        "held_until": None,
    }
    if event.phase is not Phase.GONE:
        seen |= {"seen_at": event.at, "missing_since": None}
    changes: dict[str, Any] = {
        "remote": remote.model_copy(update=seen),
        **unkeyed.looked(job, event.at, None),
    }
    if event.phase is Phase.RUNNING and job.state is State.QUEUED:
        changes["state"] = State.RUNNING
    alive, wait = event.phase in (Phase.QUEUED, Phase.RUNNING), job.wait
    if not remote.is_over and wait is not None and wait.reason is Reason.AWAITING_RESULT:
        # An extension was told that the job is over: it goes on after all, or now its result can be fetched.
        changes["wait"] = wait = None
    if job.stop is None and (wait is None or not alive):
        changes["reason"] = {
            Phase.QUEUED: Reason.AWAITING_HOST,
            Phase.RUNNING: Reason.EXTENDING if job.call else Reason.RUNNING,
        }.get(event.phase, Reason.AWAITING_RESULT)
    return changes


def _alive(job: Job) -> Reason:
    if job.stop is not None:
        return Reason.STOP_REQUESTED
    return Reason.RUNNING if _on_network(job).phase is Phase.RUNNING else Reason.AWAITING_HOST


def _open(job: Job, key: str) -> Call:
    if job.call is None or job.call.key != key:
        raise Bug(f"no call of {job.id} is open under the key {key}")
    return job.call


def _on_network(job: Job) -> Remote:
    if job.remote is None:
        raise Bug(f"{job.id} is not on the network")
    return job.remote


def _order(job: Job) -> StopOrder:
    if job.stop is None:
        raise Bug(f"nobody asked to stop {job.id}")
    return job.stop


def _without_first(orders: tuple[int, ...], seconds: int) -> tuple[int, ...]:
    if seconds not in orders:
        return orders
    index = orders.index(seconds)
    return orders[:index] + orders[index + 1 :]
