"""The dead letters in this process: the part of the store that keeps crashes."""

import threading
from collections.abc import Sequence
from dataclasses import replace

from dispatcher.domain.crashes import Crash, Trouble
from dispatcher.domain.errors import Bug
from dispatcher.domain.events import Event
from dispatcher.domain.ids import JobId, LeaseToken
from dispatcher.domain.words import FollowUp, State
from dispatcher.ports.dead import Listed, Unreadable
from dispatcher.store.memory.agenda import Times
from dispatcher.store.memory.entry import Entry
from dispatcher.store.pending import due_for
from dispatcher.store.waiting import CreditWait


class DeadLetters:
    """A `DeadLetterStore` over the same entries and the same lock as the store that it is a part of."""

    _lock: threading.Lock
    _jobs: dict[JobId, Entry]
    _waiting: dict[JobId, CreditWait]
    _agenda: Times
    _ended: Times

    def crashed(
        self, job_id: JobId, token: LeaseToken, crash: Crash, *, now: float, retry_at: float, at_most: int
    ) -> Trouble | None:
        with self._lock:
            entry = self._jobs.get(job_id)
            if entry is None or entry.token != token or entry.lease_until is None:
                return None
            entry.lease_until = None
            entry.woken = False
            if self._ended.get(job_id) is not None:
                return None
            health = entry.health
            if crash.raised:
                health.crashes += 1
                health.lapses = 0
            count = health.crashes if crash.raised else health.lapses
            dead = count >= at_most
            health.rests_until = None
            if dead:
                self._agenda.discard(job_id)
                self._waiting.pop(job_id, None)
            else:
                wanted = due_for(entry.commands)
                at_once = count <= 1 and wanted is FollowUp.STOP
                health.rests_until = now if at_once else retry_at
                self._agenda.set(job_id, health.rests_until)
                entry.follow_up = wanted or entry.follow_up
            health.trouble = Trouble(
                job_id,
                crash.reason,
                crash.traceback,
                crashes=count,
                at=now,
                token=token,
                retry_at=None,
                dead=dead,
            )
            return health.told()

    def trouble(self, job_id: JobId) -> Trouble | None:
        with self._lock:
            entry = self._jobs.get(job_id)
            return entry.health.told() if entry else None

    def dead_letters(self, *, limit: int = 100, offset: int = 0) -> list[Trouble]:
        with self._lock:
            dead = self._dead()
        dead.sort(key=lambda trouble: (trouble.at, trouble.job_id), reverse=True)
        return dead[offset : offset + max(limit, 0)]

    def count_dead(self) -> int:
        with self._lock:
            return len(self._dead())

    def revive(self, job_ids: Sequence[JobId], *, now: float) -> list[JobId]:
        with self._lock:
            return [job_id for job_id in job_ids if self._revive(job_id, now)]

    def exhume(self, job_id: JobId, token: LeaseToken, *, now: float, lease: float) -> LeaseToken | None:
        with self._lock:
            entry = self._jobs.get(job_id)
            if entry is None or not entry.health.is_dead or entry.token != token:
                return None
            if entry.health.trouble is not None:
                entry.health.trouble = replace(entry.health.trouble, dead=False)
            entry.token += 1
            entry.lease_until = now + lease
            self._agenda.set(job_id, entry.lease_until)
            return LeaseToken(entry.token)

    def discard(  # in memory every record can be read
        self,
        job_id: JobId,
        token: LeaseToken,  # noqa: ARG002 - the port's
        *,
        now: float,  # noqa: ARG002 - the port's
        retention: float,  # noqa: ARG002 - the port's
    ) -> bool:
        raise Bug(f"{job_id} can be read, and must end by an event")

    def raw(self, job_id: JobId) -> str | None:
        with self._lock:
            entry = self._jobs.get(job_id)
            return entry.job.model_dump_json() if entry else None

    def log(self, job_id: JobId, start: int = 0) -> list[Event | Unreadable]:
        with self._lock:
            entry = self._jobs.get(job_id)
            return [*entry.log[start:]] if entry else []

    def listing(self, *, states: Sequence[str] = (), limit: int = 100, offset: int = 0) -> list[Listed]:
        wanted = frozenset(states or State)
        with self._lock:
            entries = [entry for entry in self._jobs.values() if entry.job.state in wanted]
            entries.sort(key=lambda entry: (entry.job.created_at, entry.job.id), reverse=True)
            return [
                Listed(entry.job.id, entry.job.state, entry.job, entry.health.told())
                for entry in entries[offset : offset + max(limit, 0)]
            ]

    def _revive(self, job_id: JobId, now: float) -> bool:
        entry = self._jobs.get(job_id)
        if entry is None or not entry.health.is_dead:
            return False
        entry.health.recover()
        entry.follow_up = due_for(entry.commands) or entry.follow_up
        self._agenda.set(job_id, now)
        return True

    def _dead(self) -> list[Trouble]:
        health = (entry.health for entry in self._jobs.values())
        return [each.trouble for each in health if each.trouble is not None and each.trouble.dead]
