"""What the engine tells others."""

from collections.abc import Sequence
from typing import Protocol

from dispatcher.domain.events import Event
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.words import FollowUp


class Waker(Protocol):
    """Rings the bell for workers. A lost ring does no harm: the agenda rings again."""

    def ring(self, follow_up: FollowUp, job_ids: Sequence[JobId]) -> None:
        """Send one message that names these jobs (at most a hundred)."""
        ...


class Observer(Protocol):
    """Is told every event after it was saved. What it raises is logged and changes nothing."""

    def observed(self, job: Job, event: Event) -> None:
        """`job` is the record after the event."""
        ...
