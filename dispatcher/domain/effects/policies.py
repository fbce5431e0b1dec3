"""What a change of policies, and a part of a limit that is used up, make of the record."""

from typing import Any

from dispatcher.domain import events as ev
from dispatcher.domain.attempts import site
from dispatcher.domain.changing import must_quote_anew, same_place, touches
from dispatcher.domain.errors import Bug
from dispatcher.domain.job import Job
from dispatcher.domain.words import MONEY_WAITS, Reason, State

_MONEY = ("quantum", "extend", "stop.after", "stop.at", "stop.max_cost", "retry.elsewhere", "credit")
"""Fields that say how much is needed, where, and how long it is waited for."""


def policies_changed(job: Job, event: ev.PoliciesChanged) -> dict[str, Any]:
    """The job goes on under the new policies. What they change about its next step is tried at once."""
    spec, changed = job.spec.model_copy(update={"policies": event.policies}), event.changed
    place = job.place if event.place is None else event.place
    places = spec.places()
    if place >= len(places) or not same_place(job, places[place], job.at_place):
        raise Bug(f"a change of policies cannot take {job.id} to another place")
    changes: dict[str, Any] = {"spec": spec, "place": place, "site": site(spec, place)}
    # What was warned of may come again where its limit is another one.
    afresh = {
        limit for limit in (*job.warned, job.no_extends) if limit and touches(changed, limit, "stop.soft")
    }
    changes["warned"] = tuple(limit for limit in job.warned if limit not in afresh)
    changes["no_extends"] = None if job.no_extends in afresh else job.no_extends
    if touches(changed, "stop.budget"):
        changes["budget_used_up"] = None
    if touches(changed, "retry.elsewhere", "credit.max_rate_per_hour"):
        changes |= {"passed": 0, "awaited": False}  # all of them are asked again
    if touches(changed, "extend", "quantum"):
        changes["extend_refused"] = None  # what the network refused may not be what is asked for now
    if job.wait is not None and job.wait.reason in MONEY_WAITS and touches(changed, *_MONEY):
        changes["wait"] = job.wait.model_copy(update={"last": 0.0, "retry_at": None})
    if job.quote is not None and must_quote_anew(job, event.policies, event.at):
        # What is held for the post is given back, and held again as the new policies say.
        changes |= {"state": State.ENQUEUED, "quote": None, "lost_hold": job.quote.hold}
        if job.wait is None or job.wait.reason not in MONEY_WAITS:
            changes |= {"wait": None, "reason": Reason.NEW}  # what comes after it was waited for
    return changes


def warned(job: Job, event: ev.Warned) -> dict[str, Any]:
    return {"warned": (*job.warned, event.limit)}


def extends_ended(event: ev.ExtendsEnded) -> dict[str, Any]:
    return {"no_extends": event.limit}


def budget_used_up(event: ev.BudgetUsedUp) -> dict[str, Any]:
    return {"budget_used_up": event.scope}
