"""The job store in this process."""

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dispatcher.domain.cid import Cid
from dispatcher.domain.errors import Bug, LeaseLost
from dispatcher.domain.eventlog import kept
from dispatcher.domain.events import Event
from dispatcher.domain.ids import AccountName, JobId, LeaseToken, ProjectAddress, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.waiting import Line, accounts_of
from dispatcher.domain.words import State
from dispatcher.ports.mending import Stray
from dispatcher.ports.store import Added, Claim, Command, DueJob, Exposure, NewJob, Next, Waiter
from dispatcher.store.exposed import exposed
from dispatcher.store.memory.agenda import Times
from dispatcher.store.memory.dead import DeadLetters
from dispatcher.store.memory.dependents import Dependents
from dispatcher.store.memory.entry import Entry, Health
from dispatcher.store.memory.figures import Figures
from dispatcher.store.memory.mending import Mending
from dispatcher.store.memory.notes import Notes
from dispatcher.store.micros import usd
from dispatcher.store.pending import due_for, is_kept
from dispatcher.store.waiting import CreditWait, credit_wait, waiter

_PURGED_AT_ONCE = 20


class MemoryStore(DeadLetters, Dependents, Figures, Mending, Notes):
    """A `JobStore` behind one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[JobId, Entry] = {}
        self._after: dict[JobId, set[JobId]] = {}
        self._requests: dict[str, JobId] = {}
        self._waiting: dict[JobId, CreditWait] = {}
        self._agenda = Times()
        self._ended = Times()
        self._pinned: dict[tuple[AccountName, Cid], None] = {}
        self._projects: dict[AccountName, ProjectAddress] = {}
        self._turns: dict[str, float] = {}
        self._bookmarks: dict[str, str] = {}
        self._strays: dict[RemoteAddress, Stray] = {}

    def add(self, jobs: Sequence[NewJob]) -> list[Added]:
        with self._lock:
            return [self._add(new) for new in jobs]

    def claim(self, job_id: JobId, *, now: float, lease: float) -> Claim | None:
        with self._lock:
            entry = self._jobs.get(job_id)
            if entry is None or entry.is_leased(now):
                return None
            health = entry.health
            if health.is_dead or (health.rests_until is not None and health.rests_until > now):
                return None
            entry.token += 1
            health.lapses += entry.lease_until is not None
            health.rests_until = None
            entry.lease_until = now + lease
            entry.woken = False
            token, commands = LeaseToken(entry.token), tuple(entry.commands)
            return Claim(entry.job, token, commands, health.crashes, health.lapses)

    def save(
        self,
        claim: Claim,
        job: Job,
        log: Sequence[Event],
        *,
        now: float,
        lease: float,
        taken: int = 0,
        result: Mapping[str, Any] | None = None,
        document: bytes | None = None,
        durable: bool = False,  # noqa: ARG002 - nothing here outlives the process
    ) -> Claim:
        with self._lock:
            entry = self._save(claim, job, log, now=now, taken=taken, result=result, document=document)
            entry.lease_until = now + lease
            return replace(claim, job=job, commands=tuple(entry.commands))

    def release(
        self,
        claim: Claim,
        job: Job,
        log: Sequence[Event],
        *,
        now: float,
        due: Next | None,
        retention: float,
        taken: int = 0,
        result: Mapping[str, Any] | None = None,
        document: bytes | None = None,
    ) -> bool:
        """As the port says. Commands for a job that is over are forgotten; one that was woken is due at once.

        Raises `Bug` for a job without `due` that is not over: nothing would ever happen to it again.
        """
        if due is None and not job.state.is_final:
            raise Bug(f"{job.id} is {job.state} and must fall due again")
        with self._lock:
            entry = self._save(claim, job, log, now=now, taken=taken, result=result, document=document)
            entry.lease_until = None
            entry.health = Health()
            if due is None:
                self._end(entry, now, now + retention)
                return True
            wanted = due_for(entry.commands)
            at = now if wanted else min(due.at, now) if entry.woken else due.at
            entry.follow_up = wanted or due.follow_up
            entry.woken = False
            self._agenda.set(job.id, at)
            return wanted is None

    def load(self, job_id: JobId) -> Job | None:
        return self.load_many([job_id])[0]

    def load_many(self, job_ids: Sequence[JobId]) -> list[Job | None]:
        with self._lock:
            entries = [self._jobs.get(job_id) for job_id in job_ids]
            return [entry.job if entry else None for entry in entries]

    def find(self, request_id: str) -> JobId | None:
        with self._lock:
            return self._requests.get(request_id)

    def document(self, job_id: JobId) -> bytes | None:
        with self._lock:
            entry = self._jobs.get(job_id)
            return entry.document if entry else None

    def result(self, job_id: JobId) -> dict[str, Any] | None:
        with self._lock:
            entry = self._jobs.get(job_id)
            if entry is None or entry.result is None:
                return None
            document: dict[str, Any] = json.loads(entry.result)
            return document

    def events(self, job_id: JobId, start: int = 0) -> list[Event]:
        with self._lock:
            entry = self._jobs.get(job_id)
            return entry.log[start:] if entry else []

    def list_jobs(self, *, states: Sequence[State] = (), limit: int = 100, offset: int = 0) -> list[Job]:
        wanted = frozenset(states or State)
        with self._lock:
            jobs = [entry.job for entry in self._jobs.values() if entry.job.state in wanted]
        jobs.sort(key=lambda job: (job.created_at, job.id), reverse=True)
        return jobs[offset : offset + limit]

    def counts(self) -> dict[State, int]:
        with self._lock:
            found = Counter(entry.job.state for entry in self._jobs.values())
        return {state: found[state] for state in State}

    def find_address(self, address: RemoteAddress) -> JobId | None:
        with self._lock:
            jobs = (entry.job for entry in self._jobs.values() if entry.job.remote is not None)
            return next((job.id for job in jobs if job.remote and job.remote.address == address), None)

    def find_past_address(self, address: RemoteAddress) -> JobId | None:
        with self._lock:
            jobs = (entry.job for entry in self._jobs.values() if entry.job.earlier)
            return next((job.id for job in jobs if any(a.address == address for a in job.earlier)), None)

    def exposure(self, account: AccountName) -> Exposure:
        with self._lock:
            jobs = [entry.job for entry in self._jobs.values() if entry.job.account == account]
        risks = [risk for job in jobs if (risk := exposed(job)) is not None]
        limited = [risk.allowed for risk in risks if risk.allowed is not None]
        committed = usd(sum(risk.committed for risk in risks))
        return Exposure(len(risks), committed, usd(sum(limited)), len(risks) - len(limited))

    def command(self, job_id: JobId, command: Command, *, now: float) -> bool:
        """As the port says. A job that is over keeps no commands; of several stops, or retries, one is kept."""
        with self._lock:
            entry = self._jobs.get(job_id)
            if entry is None or entry.job.state.is_final:
                return entry is not None
            if is_kept(entry.commands, command):
                entry.commands.append(command)
            elif command.kind == "policies":
                return False
            entry.follow_up = due_for(entry.commands) or entry.follow_up
            if command.kind == "stop":
                entry.health.recover()
            if not entry.health.is_dead:
                self._hasten(job_id, now)
            return True

    def command_many(self, job_ids: Sequence[JobId], command: Command, *, now: float) -> int:
        return sum(self.command(job_id, command, now=now) for job_id in job_ids)

    def next_due(self, job_id: JobId) -> Next | None:
        with self._lock:
            at, entry = self._agenda.get(job_id), self._jobs.get(job_id)
            return None if at is None or entry is None else Next(at, entry.follow_up)

    def take_due(self, *, now: float, limit: int, grace: float) -> list[DueJob]:
        with self._lock:
            due = [JobId(key) for key in self._agenda.pop_until(now, limit)]
            for job_id in due:
                if job_id in self._jobs:
                    self._agenda.set(job_id, now + grace)
            self._purge(now)
            return [DueJob(job_id, self._jobs[job_id].follow_up) for job_id in due if job_id in self._jobs]

    def earliest_due(self) -> float | None:
        with self._lock:
            first = self._agenda.earliest()
            return first[1] if first else None

    def wake(self, job_ids: Sequence[JobId], *, now: float) -> None:
        """As the port says. A job that somebody works on is due at once after that; one that is over stays so."""
        with self._lock:
            for job_id in job_ids:
                if self._agenda.get(job_id) is not None and job_id in self._jobs:
                    self._jobs[job_id].woken = True
                    self._hasten(job_id, now)

    def waiting_accounts(self) -> list[AccountName]:
        return accounts_of(self.waiting_lines())

    def waiting_lines(self) -> list[Line]:
        with self._lock:
            return sorted({wait.line for wait in self._waiting.values()})

    def waiters(self, line: str, limit: int) -> list[Waiter]:
        with self._lock:
            found = [(wait.rank, job_id, wait) for job_id, wait in self._waiting.items() if wait.line == line]
        return [waiter(job_id, rank, wait.short_usd) for rank, job_id, wait in sorted(found)[: max(limit, 0)]]

    def _add(self, new: NewJob) -> Added:
        job, request_id = new.job, new.job.spec.request_id
        if job.id in self._jobs:
            return Added(job.id, new=True)
        if request_id is not None:
            if (other := self._requests.get(request_id)) is not None:
                return Added(other, False, self._jobs[other].job.fingerprint == job.fingerprint)
            self._requests[request_id] = job.id
        self._jobs[job.id] = Entry(job, new.document, [new.enqueued])
        self._agenda.set(job.id, new.due_at)
        self._come_after(job)
        return Added(job.id, new=True)

    def _save(
        self,
        claim: Claim,
        job: Job,
        log: Sequence[Event],
        *,
        now: float,
        taken: int,
        result: Mapping[str, Any] | None,
        document: bytes | None,
    ) -> Entry:
        entry = self._jobs.get(job.id)
        if entry is None or entry.token != claim.token or not entry.is_leased(now):
            raise LeaseLost(job.id)
        entry.job = job
        entry.result = entry.result if result is None else json.dumps(result)
        entry.document = entry.document if document is None else document
        entry.log.extend(kept(len(entry.log), log))
        if any(event.logged for event in log):
            entry.health.lapses = 0
        del entry.commands[:taken]
        if (wait := credit_wait(job)) is not None:
            self._waiting[job.id] = wait
        else:
            self._waiting.pop(job.id, None)
        return entry

    def _end(self, entry: Entry, now: float, forget_at: float) -> None:
        job_id = entry.job.id
        entry.commands.clear()
        self._agenda.discard(job_id)
        if self._ended.get(job_id) is None:
            self._ended.set(job_id, forget_at)
        self._purge(now)

    def _purge(self, now: float) -> None:
        for key in self._ended.pop_until(now, _PURGED_AT_ONCE):
            entry = self._jobs.pop(JobId(key), None)
            self._agenda.discard(key)
            self._after.pop(JobId(key), None)
            if entry is None:
                continue
            self._come_after_none(entry.job)
            if entry.job.spec.request_id is not None:
                self._requests.pop(entry.job.spec.request_id, None)

    def _hasten(self, job_id: JobId, now: float) -> None:
        at = self._agenda.get(job_id)
        if at is None or at > now:
            self._agenda.set(job_id, now)
