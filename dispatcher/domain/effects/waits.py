"""What a wait makes of the record."""

from typing import Any

from dispatcher.domain import events as ev
from dispatcher.domain.job import Job, Wait
from dispatcher.domain.words import State

UNPOSTED = frozenset({State.ENQUEUED, State.PINNED, State.POSTING})


def short(job: Job, at: float) -> dict[str, Any]:
    return {"short_since": at} if job.state in UNPOSTED and job.short_since is None else {}


def waiting(job: Job, event: ev.Waited) -> Wait:
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
