"""Takes a store apart behind its back, as only meddling, a restored copy or a bug can: one place at a time."""

import json
from typing import Any

import redis

from dispatcher.domain.events import EVENTS
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.words import State
from dispatcher.ports.store import JobStore
from dispatcher.store.waiting import CreditWait


class Damage:
    """What can be broken in every store. `client` None: the store in memory."""

    def __init__(self, store: JobStore, client: redis.Redis | None, prefix: str = "test") -> None:
        self._memory: Any = store
        self._client: Any = client
        self._prefix = prefix

    @property
    def in_memory(self) -> bool:
        return self._client is None

    def due(self, job_id: JobId, at: float | None) -> None:
        """Put the agenda entry elsewhere, or away; also of a job that does not exist."""
        if self._client is None:
            self._memory._agenda.discard(job_id)
            if at is not None:
                self._memory._agenda.set(job_id, at)
        elif at is None:
            self._client.zrem(self._key("agenda"), job_id)
        else:
            self._client.zadd(self._key("agenda"), {job_id: at})

    def forget_at(self, job_id: JobId, at: float | None) -> None:
        """Put down when the job is forgotten, or take that away."""
        if self._client is None:
            self._memory._ended.discard(job_id)
            if at is not None:
                self._memory._ended.set(job_id, at)
        elif at is None:
            self._client.zrem(self._key("ended"), job_id)
        else:
            self._client.zadd(self._key("ended"), {job_id: at})

    def awaited(self, job_id: JobId, account: str | None) -> None:
        """Put the job on the account's list of those that wait for credit, or off every list."""
        if self._client is None:
            self._memory._waiting.pop(job_id, None)
            if account is not None:
                self._memory._waiting[job_id] = CreditWait(AccountName(account), 1.0, None)  # type: ignore[arg-type]
            return
        for name in self._client.smembers(self._key("waiting")):
            self._client.zrem(self._key("waiting", name.decode()), job_id)
        if account is not None:
            self._client.zadd(self._key("waiting", account), {job_id: 1.0})
            self._client.sadd(self._key("waiting"), account)

    def lose_record(self, job_id: JobId) -> None:
        if self._client is None:
            del self._memory._jobs[job_id]
        else:
            self._client.delete(self._key("job", job_id))

    def listed(self, job_id: JobId, state: State, *, there: bool) -> None:
        """Only on Redis: put the job into the index of a state, or out of it."""
        if there:
            self._client.zadd(self._key("state", state), {job_id: 5.0})
        else:
            self._client.zrem(self._key("state", state), job_id)

    def states(self, job_id: JobId) -> list[State]:
        """Only on Redis: the states in whose indexes the job stands."""
        return [
            state for state in State if self._client.zscore(self._key("state", state), job_id) is not None
        ]

    def lose_address(self, job: Job) -> None:
        """Only on Redis: the job cannot be found by its address."""
        assert job.remote is not None
        assert self._client.hdel(self._key("addresses"), job.remote.address) == 1

    def leave_command(self, job_id: JobId) -> None:
        """Only on Redis: a command for a job that takes none."""
        fields = {"kind": "stop", "by": "x", "at": 1.0, "seconds": 0}
        self._client.rpush(self._key("commands", job_id), json.dumps(fields, separators=(",", ":")))

    def commands(self, job_id: JobId) -> int:
        """Only on Redis: how many wait."""
        return int(self._client.llen(self._key("commands", job_id)))

    def spoil(self, job_id: JobId) -> None:
        """Only on Redis: make the record unreadable."""
        self._client.hset(self._key("job", job_id), "job", '{"version": 2}')

    def everything(self) -> dict[str, Any]:
        """All that is stored, to be compared."""
        if self._client is None:
            memory = self._memory
            return {
                "agenda": dict(memory._agenda._at),
                "ended": dict(memory._ended._at),
                "waiting": dict(memory._waiting),
                "jobs": {job_id: entry.job.model_dump_json() for job_id, entry in memory._jobs.items()},
                "commands": {job_id: list(entry.commands) for job_id, entry in memory._jobs.items()},
                "logs": {
                    job_id: [EVENTS.dump_json(event) for event in entry.log]
                    for job_id, entry in memory._jobs.items()
                },
            }
        return {key.decode(): self._client.dump(key) for key in self._client.scan_iter()}

    def _key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))
