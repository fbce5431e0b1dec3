"""The bell: one ordinary Celery task, named for what fell due."""

from collections.abc import Sequence
from typing import Any

import structlog
from kombu.exceptions import KombuError, OperationalError

from dispatcher.domain.ids import JobId
from dispatcher.domain.words import FollowUp

_log = structlog.get_logger(__name__)


class CeleryWaker:
    """Sends follow-ups through `app` to the dispatcher's own queue.

    A broker that is away is logged and nothing else: the job is stored, and the agenda rings again.
    """

    def __init__(self, app: Any, queue: str = "dispatcher") -> None:
        self._app, self._queue = app, queue

    def ring(self, follow_up: FollowUp, job_ids: Sequence[JobId]) -> None:
        try:
            self._app.send_task(
                f"dispatcher.{follow_up.value}",
                args=[list(job_ids)],
                queue=self._queue,
                # Decided by the sender's header: without it a task that is sent by name stores its result.
                ignore_result=True,
                retry=False,
            )
        except (OperationalError, KombuError, OSError) as e:
            _log.warning("bell_failed", follow_up=follow_up.value, jobs=len(job_ids), error=type(e).__name__)
