"""What is counted and listed over all jobs: the part of the job store that metrics and operators read."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.waiting import credit_line
from dispatcher.domain.words import Reason
from dispatcher.store.memory.agenda import Times
from dispatcher.store.waiting import CreditWait


class HasJob(Protocol):
    """An entry of the store."""

    @property
    def job(self) -> Job: ...


class Figures:
    """Reads what the store itself keeps."""

    _lock: threading.Lock
    _jobs: Mapping[JobId, HasJob]
    _waiting: Mapping[JobId, CreditWait]
    _agenda: Times

    def exposed_accounts(self) -> list[AccountName]:
        return sorted({job.account for job in self._live()})

    def reasons(self) -> dict[Reason, int]:
        found = Counter(job.reason for job in self._live())
        return {reason: found[reason] for reason in sorted(found)}

    def live_ids(self) -> list[JobId]:
        return [job.id for job in self._live()]

    def due_count(self, *, now: float) -> int:
        with self._lock:
            return self._agenda.count_until(now)

    def waiting_count(self, account: AccountName) -> int:
        with self._lock:
            return sum(wait.line == credit_line(account) for wait in self._waiting.values())

    def _live(self) -> list[Job]:
        with self._lock:
            return [entry.job for entry in self._jobs.values() if not entry.job.state.is_final]
