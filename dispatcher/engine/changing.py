"""A job's policies are changed while it is under way: asked for, kept beside the job, taken in by a worker."""

import json
from collections.abc import Iterator
from typing import Any, Final

from dispatcher.domain import events as ev
from dispatcher.domain.changing import Change, change
from dispatcher.domain.errors import InvalidRequest, NotPossible, UnknownJob
from dispatcher.domain.faults import Fault
from dispatcher.domain.fitting import accounts_of
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.leaks import LEAKS, holds_own_secret
from dispatcher.domain.policies.written import LARGEST_PART, as_part
from dispatcher.domain.request import JobSpec
from dispatcher.domain.words import FollowUp
from dispatcher.engine.fitting import unfit
from dispatcher.engine.parts import Parts
from dispatcher.ports.store import Command

_BY_AT_MOST: Final = 100
"""Characters of an operator's name that are kept."""


def change_policies(parts: Parts, job_id: JobId, written: Any, *, by: str) -> Change:
    """Ask that `written` be laid upon the job's policies. The answer is what it comes to for the job as it is now.

    The worker that takes it in lays it upon the policies of then, so that of several changes each holds. Raises
    `UnknownJob`; `NotPossible` for a job that is over, or for which too many commands wait; `InvalidRequest` with every
    fault. Nothing was asked for then.
    """
    job = parts.store.load(job_id)
    if job is None:
        raise UnknownJob(job_id)
    if job.state.is_final:
        raise NotPossible(f"the policies of {job_id} cannot be changed: the job is {job.state}")
    part = as_part(written)
    detail = json.dumps(part, separators=(",", ":"))
    if len(detail) > LARGEST_PART:
        raise InvalidRequest([Fault("policies", f"is larger than {LARGEST_PART} characters")])
    if holds_own_secret(json.dumps(part, ensure_ascii=False), parts.own_secrets):
        raise InvalidRequest([Fault("policies", LEAKS)])
    now = parts.clock.now()
    found = change(job, part, now)
    spec = job.spec.model_copy(update={"policies": found.policies})
    if faults := [*unfit(parts, spec), *_unstamped(parts, job, spec)]:
        raise InvalidRequest(faults)
    if not parts.store.command(job_id, Command("policies", by[:_BY_AT_MOST], now, detail=detail), now=now):
        raise NotPossible(
            f"the policies of {job_id} cannot be changed now: too many commands wait for a worker to take them in. "
            "Is one running?"
        )
    parts.waker.ring(FollowUp.DISPATCH, [job_id])
    return found


def _unstamped(parts: Parts, job: Job, spec: JobSpec) -> Iterator[Fault]:
    """New places whose network can only find a post by the stamp in its definition, for a job that bears none."""
    new = [account for account in accounts_of(spec) if account not in accounts_of(job.spec)]
    for account in new if not job.stamped else ():
        if parts.stamps(account):
            yield Fault(
                "policies.retry.elsewhere",
                f"the network of account {account} knows no idempotency keys, and this job was enqueued without the "
                "stamp by which a post in doubt is found there: leave it out, or enqueue the job anew with it",
            )


def taken_in(job: Job, command: Command, now: float) -> list[ev.Event]:
    """What such a command means for the job as it is when a worker takes it in."""
    try:
        found = change(job, as_part(json.loads(command.detail)), now)
    except InvalidRequest as e:
        said = "; ".join(str(fault) for fault in e.faults)
        return [ev.PoliciesKept(at=now, detail=said, by=command.by)]
    except ValueError:
        return [ev.PoliciesKept(at=now, detail="what was asked for cannot be read", by=command.by)]
    if not found.changed:
        return []
    place = None if found.place == job.place else found.place
    return [
        ev.PoliciesChanged(at=now, policies=found.policies, changed=found.changed, by=command.by, place=place)
    ]
