"""What a call that is written down, sent, or answered makes of the record."""

from typing import Any, assert_never

from dispatcher.domain import events as ev
from dispatcher.domain.effects.record import alive, open_call, stop_order
from dispatcher.domain.effects.waits import short
from dispatcher.domain.errors import Bug
from dispatcher.domain.job import Job, Search, Wait
from dispatcher.domain.words import MONEY_WAITS, Operation, Reason, State


def intended(job: Job, event: ev.CallIntended) -> dict[str, Any]:
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
            stop_order(job)
            # What refused stops wait for is kept: its tries are the ladder that they climb.
            refused = job.wait if job.wait is not None and job.wait.reason is Reason.STOP_REQUESTED else None
            changes = {"call": call, "state": State.STOPPING, "stops": call.ordinal, "wait": refused}
            if job.call is not None and job.call.operation is Operation.EXTEND:
                doubtful = job.spend.doubtful + job.call.amount
                changes["spend"] = job.spend.model_copy(update={"doubtful": doubtful})
            return changes
        case _:
            assert_never(call.operation)


def again(job: Job, event: ev.CallUndecided | ev.CallExpired) -> dict[str, Any]:
    call = open_call(job, event.key)
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


def denied(job: Job, event: ev.CallRefused | ev.CallShort) -> dict[str, Any]:
    call = open_call(job, event.key)
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
            changes |= {"state": State.ENQUEUED, "quote": None, **short(job, event.at)}
    elif call.operation is Operation.POST:
        changes |= {"state": State.PINNED, "reason": Reason.REFUSED, "post_refused": event.error}
    elif call.operation is Operation.EXTEND:
        changes["reason"] = alive(job)
        if call.ordered:
            changes["extend_ordered"] = without_first(job.extend_ordered, call.seconds)
        else:
            changes["extend_refused"] = event.error
    return changes


def without_first(orders: tuple[int, ...], seconds: int) -> tuple[int, ...]:
    if seconds not in orders:
        return orders
    index = orders.index(seconds)
    return orders[:index] + orders[index + 1 :]
