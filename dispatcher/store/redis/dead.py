"""The dead letters on Redis: the part of the store that keeps crashes."""

import json
import secrets
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from dispatcher.domain.crashes import Crash, Trouble
from dispatcher.domain.errors import UnreadableRecord
from dispatcher.domain.events import Event
from dispatcher.domain.ids import JobId, LeaseToken
from dispatcher.domain.job import Job
from dispatcher.domain.words import State
from dispatcher.ports.dead import Listed, Unreadable
from dispatcher.store.redis.codec import event_of, readable
from dispatcher.store.redis.database import Database, text


class DeadLetters:
    """A `DeadLetterStore` over the same keys as the store that it is a part of."""

    _db: Database

    def crashed(
        self, job_id: JobId, token: LeaseToken, crash: Crash, *, now: float, retry_at: float, at_most: int
    ) -> Trouble | None:
        times = (repr(now), repr(retry_at))
        raised = "1" if crash.raised else "0"
        kept = json.dumps({"reason": crash.reason, "traceback": crash.traceback, "at": now, "token": token})
        return _trouble(
            job_id, self._db.run("crashed", job_id, token, _mark(), *times, raised, at_most, kept)
        )

    def trouble(self, job_id: JobId) -> Trouble | None:
        names = ("trouble", "failures", "rests_until", "dead", "dropped")
        return _trouble(job_id, self._db.ask("HMGET", self._db.key("job", job_id), *names))

    def dead_letters(self, *, limit: int = 100, offset: int = 0) -> list[Trouble]:
        if limit <= 0:
            return []
        answer = self._db.run("dead_letters", offset, offset + limit - 1)
        found = [
            _trouble(JobId(text(job_id)), kept)
            for job_id, kept in zip(answer[::2], answer[1::2], strict=True)
        ]
        return [trouble for trouble in found if trouble is not None]

    def count_dead(self) -> int:
        return int(self._db.ask("ZCARD", self._db.key("dead")))

    def revive(self, job_ids: Sequence[JobId], *, now: float) -> list[JobId]:
        revived = self._db.run_all("revive", [(job_id, repr(now), _mark()) for job_id in job_ids])
        return [job_id for job_id, done in zip(job_ids, revived, strict=True) if done]

    def exhume(self, job_id: JobId, token: LeaseToken, *, now: float, lease: float) -> LeaseToken | None:
        found = self._db.run("exhume", job_id, token, repr(now + lease), _mark())
        return None if found is None else LeaseToken(int(found))

    def discard(self, job_id: JobId, token: LeaseToken, *, now: float, retention: float) -> bool:
        answer = self._db.run("discard", job_id, token, _mark(), repr(now), repr(now + retention))
        return answer is not None

    def raw(self, job_id: JobId) -> str | None:
        found = self._db.ask("HGET", self._db.key("job", job_id), "job")
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else found

    def log(self, job_id: JobId, start: int = 0) -> list[Event | Unreadable]:
        entries: list[Event | Unreadable] = []
        for position, answer in enumerate(
            self._db.ask("LRANGE", self._db.key("log", job_id), start, -1), start
        ):
            try:
                entries.append(event_of(answer))
            except ValidationError:
                entries.append(Unreadable(position))
        return entries

    def listing(self, *, states: Sequence[str] = (), limit: int = 100, offset: int = 0) -> list[Listed]:
        if limit <= 0:
            return []
        answer = self._db.run("list", offset, offset + limit - 1, *dict.fromkeys(states or State))
        return [
            Listed(JobId(text(job_id)), text(state), _job(job_id, job), _trouble(JobId(text(job_id)), kept))
            for (job_id, job, state), kept in zip(answer[::2], answer[1::2], strict=True)
        ]


def _mark() -> str:
    return secrets.token_hex(8)


def _job(job_id: Any, document: Any) -> Job | None:
    try:
        return readable(JobId(text(job_id)), document)
    except UnreadableRecord:
        return None


def _trouble(job_id: JobId, answer: Sequence[Any] | None) -> Trouble | None:
    """What `trouble_of` of the scripts answers."""
    if answer is None or answer[0] is None:
        return None
    kept, failures, rests_until, dead, dropped = answer
    fields = json.loads(kept)
    return Trouble(
        job_id,
        reason=fields["reason"],
        traceback=fields["traceback"],
        crashes=int(failures),
        at=fields["at"],
        token=LeaseToken(fields["token"]),
        retry_at=None if rests_until is None else float(rests_until),
        dead=dead is not None,
        dropped_at=None if dropped is None else float(dropped),
    )
