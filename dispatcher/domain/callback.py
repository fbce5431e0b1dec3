"""What an application is told when a job is over: the message of its callback."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatcher.domain.job import Job
from dispatcher.domain.money import format_usd
from dispatcher.domain.view import timestamp


@dataclass(frozen=True, slots=True)
class Message:
    """A Celery task to be sent. `queue` None: the one of the settings. `about` is all that may be shown of it."""

    task: str
    queue: str | None
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(repr=False)
    task_id: str
    about: str


def message_of(job: Job) -> Message | None:
    """The callback of a job that is over; None if none was asked for.

    Its task id depends on the job alone: however often it is sent, a receiver can tell that it is the same.
    """
    callback = job.spec.callback
    if callback is None or job.ending is None:
        return None
    return Message(
        task=callback.task,
        queue=callback.queue,
        args=(job.id, summary(job)),
        kwargs=dict(callback.kwargs),
        task_id=f"{job.id}:ended",
        about=job.id,
    )


def summary(job: Job) -> dict[str, Any]:
    """How the job ended, JSON-ready: no definition, no text of hosts or of the network. Amounts are texts of US
    dollars, times ISO 8601 in UTC."""
    ending = job.ending
    return {
        "id": job.id,
        "request_id": job.spec.request_id,
        "labels": dict(job.spec.labels),
        "state": job.state.value,
        "reason": job.reason.value,
        "exit_code": ending.exit_code if ending is not None else None,
        "result_cid": ending.result_cid if ending is not None else None,
        "address": job.remote.address if job.remote is not None else None,
        "attempts": job.attempt,
        "settled_usd": None if job.spend.settled is None else format_usd(job.spend.settled),
        "created_at": timestamp(job.created_at),
        "ended_at": timestamp(ending.at) if ending is not None else None,
    }
