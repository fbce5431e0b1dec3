"""The part of the job store in memory that looks it over. The Lua scripts `mend` and `note_stray` do the same."""

import threading
from collections.abc import Sequence

from dispatcher.domain.ids import JobId, RemoteAddress
from dispatcher.ports.mending import MOST_STRAYS, Checked, Damage, Source, Stray, Walked
from dispatcher.ports.store import Command
from dispatcher.store.memory.agenda import Times
from dispatcher.store.memory.entry import Entry
from dispatcher.store.pending import due_for
from dispatcher.store.straying import in_order, place
from dispatcher.store.waiting import CreditWait, credit_wait


class Mending:
    """See `MendingStore`."""

    _lock: threading.Lock
    _jobs: dict[JobId, Entry]
    _waiting: dict[JobId, CreditWait]
    _agenda: Times
    _ended: Times
    _bookmarks: dict[str, str]
    _strays: dict[RemoteAddress, Stray]

    def walk(self, source: Source, cursor: str, limit: int) -> Walked:
        with self._lock:
            ids = sorted(each for each in self._ids(source) if each > cursor)
        chunk = ids[:limit]
        return Walked(tuple(chunk), chunk[-1] if len(ids) > limit else "")

    def mend(self, job_ids: Sequence[JobId], *, now: float, grace: float) -> list[Checked]:
        with self._lock:
            return [self._mend(job_id, now, grace) for job_id in dict.fromkeys(job_ids)]

    def over(self, job_ids: Sequence[JobId]) -> list[JobId]:
        with self._lock:
            return [
                each
                for each in job_ids
                if (entry := self._jobs.get(each)) is None or entry.job.state.is_final
            ]

    def bookmark(self, name: str) -> str:
        with self._lock:
            return self._bookmarks.get(name, "")

    def set_bookmark(self, name: str, text: str) -> None:
        with self._lock:
            self._bookmarks[name] = text

    def strays(self) -> list[Stray]:
        with self._lock:
            return in_order(list(self._strays.values()))

    def note_stray(self, stray: Stray) -> None:
        with self._lock:
            self._strays[stray.address] = stray
            while len(self._strays) > MOST_STRAYS:
                first = min(self._strays.values(), key=lambda each: (place(each), each.address))
                del self._strays[first.address]

    def _ids(self, source: Source) -> list[JobId]:
        match source:
            case Source.LIVE:
                return [job_id for job_id, entry in self._jobs.items() if not entry.job.state.is_final]
            case Source.AGENDA:
                return [JobId(key) for key in self._agenda.keys()]  # noqa: SIM118 - not a dictionary
            case Source.WAITING:
                return list(self._waiting)
            case Source.ENDED:
                return [JobId(key) for key in self._ended.keys()]  # noqa: SIM118 - not a dictionary
            case Source.RECORDS:
                return list(self._jobs)

    def _mend(self, job_id: JobId, now: float, grace: float) -> Checked:
        entry, damages = self._jobs.get(job_id), list[Damage]()
        if entry is None:
            if self._forget(job_id):
                damages.append(Damage.GONE)
            return Checked(job_id, None, None, None, tuple(damages))
        wait, listed = credit_wait(entry.job), self._waiting.get(job_id)
        if listed is not None and (wait is None or wait.line != listed.line):
            del self._waiting[job_id]
            damages.append(Damage.AWAITED)
        if entry.health.is_dead:
            pass  # off the agenda on purpose
        elif entry.job.state.is_final:
            damages += self._mend_over(entry, now, grace)
        else:
            damages += self._mend_live(entry, now, damages)
        live = None if entry.job.state.is_final else entry.job
        return Checked(job_id, live, self._agenda.get(job_id), entry.lease_until, tuple(damages))

    def _forget(self, job_id: JobId) -> bool:
        """Nothing may point to a job that does not exist."""
        known = [self._agenda.get(job_id), self._ended.get(job_id), self._waiting.pop(job_id, None)]
        self._agenda.discard(job_id)
        self._ended.discard(job_id)
        return any(each is not None for each in known)

    def _mend_live(self, entry: Entry, now: float, before: list[Damage]) -> list[Damage]:
        job_id, damages = entry.job.id, list[Damage]()
        told_already = any(command.kind == "mended" for command in entry.commands)
        if credit_wait(entry.job) is not None and job_id not in self._waiting and not told_already:
            damages.append(Damage.NOT_AWAITED)  # the worker's next save puts it in its place
        if self._ended.get(job_id) is not None:
            self._ended.discard(job_id)
            damages.append(Damage.FORGOTTEN)
        if self._agenda.get(job_id) is None:
            damages.append(Damage.NOT_ON_AGENDA)
        if told := [*before, *damages]:
            if not told_already:
                entry.commands.append(Command("mended", by="reconcile", at=now, detail="; ".join(told)))
            entry.follow_up = due_for(entry.commands) or entry.follow_up
            self._bring_forward(job_id, now)
        return damages

    def _mend_over(self, entry: Entry, now: float, grace: float) -> list[Damage]:
        job_id, damages = entry.job.id, list[Damage]()
        at, lease = self._agenda.get(job_id), entry.lease_until
        if self._ended.get(job_id) is not None:  # it was closed
            if at is not None:
                self._agenda.discard(job_id)
                damages.append(Damage.LEFT_ON_AGENDA)
            if entry.commands:
                entry.commands.clear()
                damages.append(Damage.LEFT_COMMANDS)
        elif (lease is None or lease < now - grace) and (at is None or at > now + grace):
            self._bring_forward(job_id, now)  # a worker closes it: its holds, its place here
            damages.append(Damage.KEPT)
        return damages

    def _bring_forward(self, job_id: JobId, now: float) -> None:
        at = self._agenda.get(job_id)
        if at is None or at > now:
            self._agenda.set(job_id, now)
