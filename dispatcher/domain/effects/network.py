"""What the network's answers and records make of the record."""

from typing import Any

from dispatcher.domain import events as ev
from dispatcher.domain import unkeyed
from dispatcher.domain.effects.calls import without_first
from dispatcher.domain.effects.record import alive, looked_at_afresh, on_network, open_call, reserved
from dispatcher.domain.errors import Bug
from dispatcher.domain.job import Job, Remote, Wait
from dispatcher.domain.words import Phase, Reason, State


def posted(job: Job, event: ev.Posted | ev.PostFound) -> dict[str, Any]:
    open_call(job, event.key)
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
        "spend": reserved(job, event.amount),
    }


def adopted(job: Job, event: ev.Adopted) -> dict[str, Any]:
    if job.call is not None or job.stop is not None:
        raise Bug(f"{job.id} cannot go on as another while something is asked of the one that it has")
    # It waits for a host for as long as the job does. What was paid for the other stays counted: both were posted.
    remote = Remote(
        address=event.address,
        posted_at=on_network(job).posted_at,
        looked_at=event.at,
        changed_at=event.at,
        timeout=event.seconds,
    )
    return {
        "state": State.QUEUED,
        "reason": Reason.AWAITING_INDEX,
        "wait": None,
        "remote": remote,
        "spend": reserved(job, event.amount),
    }


def extended(job: Job, event: ev.Extended) -> dict[str, Any]:
    call, remote = open_call(job, event.key), on_network(job)
    changes: dict[str, Any] = {"call": None, "wait": None, "reason": alive(job)}
    if call.ordered:
        changes["extend_ordered"] = without_first(job.extend_ordered, call.seconds)
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
        changes["spend"] = reserved(job, event.amount)
    else:
        # The record still shows it alive: it is looked at soon, and not extended again unless the record changes.
        changes["remote"] = looked_at_afresh(remote)
        changes["reason"] = Reason.AWAITING_RESULT
        changes["wait"] = Wait(
            reason=Reason.AWAITING_RESULT,
            since=event.at,
            last=event.at,
            detail="the network says that the job is over already",
        )
    return changes


def looked(job: Job, event: ev.Observed | ev.Looked) -> dict[str, Any]:
    remote = on_network(job)
    if isinstance(event, ev.Looked) and event.held_until is not None:
        held = {"error": event.error, "held_until": event.held_until, "held_pressing": event.pressing}
        return {"remote": remote.model_copy(update=held)}
    if isinstance(event, ev.Looked):
        update: dict[str, Any] = {
            "looked_at": event.at,
            "unchanged_looks": remote.unchanged_looks + 1,
            "error": event.error,
            "held_until": None,
            "held_pressing": False,
        }
        if event.missing:
            update["missing_since"] = remote.missing_since if remote.missing_since is not None else event.at
        elif event.error is None:
            update |= {"seen_at": event.at, "missing_since": None}
            update |= {"output_at": event.output_at, "results": event.results}
        told_nothing = event.error or ("the index does not have the job" if event.missing else None)
        searched = unkeyed.looked(job, event.at, told_nothing)
        return {"remote": remote.model_copy(update=update), **searched}
    seen = event.shown() | {
        "looked_at": event.at,
        "changed_at": event.at,
        "unchanged_looks": 0,
        "error": None,
        "held_until": None,
        "held_pressing": False,
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
