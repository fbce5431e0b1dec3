"""What a change of policies, and a part of a limit that is used up, make of the record."""

from typing import Any

from dispatcher.domain import events as ev
from dispatcher.domain.job import Job


def policies_changed(job: Job, event: ev.PoliciesChanged) -> dict[str, Any]:
    """The job goes on under the new policies. What was warned of may come again: its limit may be another."""
    spec = job.spec.model_copy(update={"policies": event.policies})
    return {"spec": spec, "warned": (), "no_extends": None, "budget_used_up": None}


def warned(job: Job, event: ev.Warned) -> dict[str, Any]:
    return {"warned": (*job.warned, event.limit)}


def extends_ended(event: ev.ExtendsEnded) -> dict[str, Any]:
    return {"no_extends": event.limit}


def budget_used_up(event: ev.BudgetUsedUp) -> dict[str, Any]:
    return {"budget_used_up": event.scope}
