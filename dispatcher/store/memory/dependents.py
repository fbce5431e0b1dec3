"""Which jobs come after which, in this process. `add.lua` and the prelude's `purge` do the same."""

import threading

from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job


class Dependents:
    """The part of a `JobStore` that says who comes after a job, over the same lock as the store it is a part of."""

    _lock: threading.Lock
    _after: dict[JobId, set[JobId]]

    def dependents(self, job_id: JobId) -> list[JobId]:
        with self._lock:
            return sorted(self._after.get(job_id, ()))

    def count_dependents(self, job_id: JobId) -> int:
        with self._lock:
            return len(self._after.get(job_id, ()))

    def _come_after(self, job: Job) -> None:
        for upstream in job.spec.after:
            self._after.setdefault(upstream.job, set()).add(job.id)

    def _come_after_none(self, job: Job) -> None:
        """The job is forgotten: nothing may point to it."""
        for upstream in job.spec.after:
            others = self._after.get(upstream.job)
            if others is not None:
                others.discard(job.id)
                if not others:
                    del self._after[upstream.job]
