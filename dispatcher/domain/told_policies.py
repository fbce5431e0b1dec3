"""A job's policies as people and programs are shown them."""

from collections.abc import Iterable
from typing import Any

from dispatcher.domain import events as ev
from dispatcher.domain.changing import Change
from dispatcher.domain.job import Job
from dispatcher.domain.policies.written import said
from dispatcher.domain.view import timestamp


def policies_view(job: Job, log: Iterable[object]) -> dict[str, Any]:
    """JSON-ready: `set` names the set that the policies came from, None for none; `policies` are those of now, without
    what is left at its default; `changes` what was changed since, by whom, and what could not be had."""
    return {
        "id": job.id,
        "state": job.state.value,
        "set": job.spec.policy,
        "policies": said(job.spec.policies),
        "changes": [told for event in log if (told := _told(event)) is not None],
    }


def change_view(job_id: str, change: Change) -> dict[str, Any]:
    """A change that was asked for, JSON-ready."""
    return {
        "id": job_id,
        "asked": True,
        "changed": list(change.changed),
        "policies": said(change.policies),
        "notes": list(change.notes),
    }


def _told(event: object) -> dict[str, Any] | None:
    match event:
        case ev.PoliciesChanged():
            return {
                "at": timestamp(event.at),
                "by": event.by,
                "changed": list(event.changed),
                "refused": None,
            }
        case ev.PoliciesKept():
            return {"at": timestamp(event.at), "by": event.by, "changed": [], "refused": event.detail}
        case _:
            return None
