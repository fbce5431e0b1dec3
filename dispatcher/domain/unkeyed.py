"""What becomes of the record where the network knows no idempotency keys: calls in doubt, and the search for them.

Without keys a call whose answer got lost cannot be asked again: asked twice, it may be done twice. It stays open,
its `search` says how far it is found out whether it landed, and nothing is sent. The rules are in `rules_unkeyed`.
"""

from typing import Any

from dispatcher.domain import events as ev
from dispatcher.domain.job import Call, Job, Search, Wait
from dispatcher.domain.words import Operation, Phase, Reason, State


def is_parked(job: Job) -> bool:
    """Whether a person has to say what became of the post."""
    return job.call is not None and job.call.search is not None and job.call.search.parked_at is not None


def resolution_refusal(job: Job) -> str | None:
    """Why a person cannot say what became of the post, or None if that can be done."""
    if job.state is not State.POSTING or job.call is None:
        return f"the job is {job.state}: only a job whose post is undecided can be resolved"
    if job.call.search is None:
        return "its post is still under way, and is found out about without help"
    return None


def gone(job: Job, call: Call, event: ev.CallUndone | ev.CallNotFound) -> dict[str, Any]:
    """The call had no effect; another one takes its place."""
    changes: dict[str, Any] = {"call": None}
    if isinstance(event, ev.CallUndone):
        changes["wait"] = Wait(
            reason=Reason.AWAITING_NETWORK,
            since=event.at,
            last=event.at,
            tries=call.ordinal,
            detail=event.error,
            retry_at=event.retry_at,
        )
    if call.operation is not Operation.POST:
        return changes | {"reason": _alive(job)}
    if isinstance(event, ev.CallUndone):
        return changes | {"state": State.PINNED, "reason": _stopping(job, Reason.AWAITING_NETWORK)}
    # Posted again with a new hold at the price of then: the old one may be of another day.
    return changes | {
        "state": State.ENQUEUED,
        "reason": _stopping(job, Reason.NEW),
        "quote": None,
        "wait": None,
        "lost_posts": job.lost_posts + 1,
        "lost_hold": call.hold,
    }


def sought(call: Call, event: ev.CallSought | ev.CallUnresolved) -> dict[str, Any]:
    """The post was looked for in vain; or a person has to be asked."""
    search = call.search or Search(since=event.at)
    if isinstance(event, ev.CallUnresolved):
        parked = search.model_copy(update={"parked_at": event.at})
        return {
            "call": call.model_copy(update={"search": parked, "error": event.detail}),
            "reason": Reason.UNRESOLVED,
        }
    if event.held_until is not None:
        held = search.model_copy(update={"error": event.error, "held_until": event.held_until})
        return {"call": call.model_copy(update={"search": held})}
    at = event.at if event.as_of is None else event.as_of
    found = _after_look(search, at, event.error, hopeless=event.hopeless)
    return {"call": call.model_copy(update={"search": found})}


def resolving(job: Job, event: ev.ResolveOrdered | ev.ResolveDropped) -> dict[str, Any]:
    """A person named an address, or named a wrong one."""
    if job.call is None or job.call.search is None:
        return {}
    if isinstance(event, ev.ResolveOrdered):
        update: dict[str, Any] = {
            "adopt": event.address,
            "adopt_by": event.by,
            "looked_at": None,
            "held_until": None,
            "failed": 0,
        }
    else:
        update = {"adopt": None, "adopt_by": "", "error": event.detail}
    search = job.call.search.model_copy(update=update)
    return {"call": job.call.model_copy(update={"search": search})}


def looked(job: Job, at: float, error: str | None) -> dict[str, Any]:
    """What a look at the job's record says about an extension that is in doubt."""
    if job.call is None or job.call.search is None:
        return {}
    search = _after_look(job.call.search, at, error)
    return {"call": job.call.model_copy(update={"search": search})}


def _after_look(search: Search, at: float, error: str | None, *, hopeless: bool = False) -> Search:
    update: dict[str, Any] = {"looked_at": at, "error": error, "hopeless": hopeless, "held_until": None}
    if error is None:
        update |= {"looks": search.looks + 1, "clear_at": at, "failed": 0}
    else:
        update["failed"] = search.failed + 1
    return search.model_copy(update=update)


def _stopping(job: Job, otherwise: Reason) -> Reason:
    return Reason.STOP_REQUESTED if job.stop is not None else otherwise


def _alive(job: Job) -> Reason:
    running = job.remote is not None and job.remote.phase is Phase.RUNNING
    return _stopping(job, Reason.RUNNING if running else Reason.AWAITING_HOST)
