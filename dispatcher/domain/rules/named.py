"""The policy's field under which a rule acts, by its name in a request: `stop.after`."""

from collections.abc import Mapping
from typing import Final

from dispatcher.domain.job import Job
from dispatcher.domain.words import Reason

STOPPED_BY: Final[Mapping[Reason, str]] = {
    Reason.STOP_AFTER: "stop.after",
    Reason.STOP_AT: "stop.at",
    Reason.MAX_COST: "stop.max_cost",
    Reason.QUEUED_TOO_LONG: "stop.queued_longer_than",
    Reason.NO_OUTPUT: "stop.no_output_for",
    Reason.RESULT_MATCHED: "stop.result_matches",
    Reason.BUDGET_USED_UP: "stop.budget",
}
"""The field that comes true, by the reason for the stop."""


def ordered_by(job: Job) -> str | None:
    """The field that ordered the job's stop; None if a person did."""
    return STOPPED_BY.get(job.stop.reason) if job.stop is not None and job.stop.by == "policy" else None


def extended_by(job: Job) -> str | None:
    """The field that says how much time is added at once; None for a person's order."""
    if job.call is not None and job.call.ordered:
        return None
    policies = job.spec.policies
    if policies.quantum is not None:
        return "quantum.step"
    return None if policies.extend is None else "extend.by"
