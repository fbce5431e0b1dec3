"""What the end of a job means to others: jobs that come after it are woken, the application is told.

Done after the end is saved and settled, and before the job leaves the agenda. Whoever dies in between is followed by
somebody who does it all again: a job that is woken twice looks twice, and a callback always has the same task id.
"""

from typing import Final

import structlog

from dispatcher.domain.callback import message_of
from dispatcher.domain.errors import BrokerUnavailable
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.words import FollowUp
from dispatcher.engine.bell import ring
from dispatcher.engine.parts import Parts
from dispatcher.ports.store import Command, Next

_log = structlog.get_logger(__name__)

_FIRST: Final = 2.0
_LONGEST: Final = 30.0
"""Seconds of the wall's time between two tries of a callback. Longer than that would look, to reconciliation, as if
nobody cared for the job any more."""


def close(parts: Parts, job: Job) -> Next | None:
    """Wake those that come after `job`, and send its callback. None if nothing is left to be done for it; otherwise
    when the callback is tried again."""
    wake_dependents(parts, job.id)
    message = message_of(job)
    if message is None:
        return None
    try:
        parts.callbacks.send(message)
    except BrokerUnavailable as e:
        now = parts.clock.now()
        age = now - job.updated_at
        retry_at = now + min(max(age, parts.pace(_FIRST)), parts.pace(_LONGEST))
        _log.warning("callback_delayed", job=job.id, task=message.task, error=str(e), retry_at=retry_at)
        return Next(retry_at, FollowUp.DISPATCH)
    _log.info("callback_sent", job=job.id, task=message.task)
    return None


def wake_dependents(parts: Parts, job_id: JobId) -> None:
    """Have the jobs that come after this one look again, at once. A ring that gets lost costs a moment."""
    waiting = parts.store.dependents(job_id)
    if not waiting:
        return
    now = parts.clock.now()
    parts.store.command_many(waiting, Command("upstream", by=job_id, at=now), now=now)
    ring(parts.waker, FollowUp.DISPATCH, waiting)


def callback_state(parts: Parts, job: Job) -> str | None:
    """`waits` until the job is over, `due` until it is sent, then `sent`; None for a job without a callback."""
    if job.spec.callback is None:
        return None
    if not job.state.is_final:
        return "waits"
    return "sent" if parts.store.next_due(job.id) is None else "due"
