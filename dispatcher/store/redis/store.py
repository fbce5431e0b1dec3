"""The job store on Redis. What each script does is told in its file, `lua/jobs/<name>.lua`."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import redis

from dispatcher.domain.cid import Cid
from dispatcher.domain.errors import Bug, LeaseLost, UnreadableRecord
from dispatcher.domain.events import EVENTS, Event
from dispatcher.domain.ids import AccountName, JobId, LeaseToken, ProjectAddress, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.waiting import Line, accounts_of
from dispatcher.domain.words import FollowUp, Reason, State
from dispatcher.ports.dead import Unreadable
from dispatcher.ports.store import Added, Claim, Command, DueJob, Exposure, NewJob, Next, Waiter
from dispatcher.store.micros import usd
from dispatcher.store.redis.codec import (
    command_text,
    commands_of,
    job_of,
    logged,
    readable,
    record,
    result_text,
)
from dispatcher.store.redis.database import Argument, Database, text
from dispatcher.store.redis.dead import DeadLetters
from dispatcher.store.redis.mending import Mending
from dispatcher.store.waiting import waiter

_CHUNK: Final = 500
"""Jobs in one round trip: enough to make the trip cheap, too few to hold up the other clients."""

_CHUNK_BYTES: Final = 4_000_000
"""Definitions in one round trip; both sides keep it in memory whole."""


class RedisStore(DeadLetters, Mending):
    """A `JobStore` on one server. Threads may share it.

    Every call that changes something carries a mark of its own, so that redis-py may repeat it when the answer got
    lost: the script knows the mark and answers as before.
    """

    def __init__(
        self, client: redis.Redis, prefix: str = "dispatcher", *, confirm_writes: bool = True
    ) -> None:
        self._db = Database(client, "jobs", prefix, confirm_writes=confirm_writes)

    def add(self, jobs: Sequence[NewJob]) -> list[Added]:
        answers: list[Any] = []
        for chunk in _chunks(jobs):
            answers += self._db.run_all("add", [_new(new) for new in chunk])
        return [Added(JobId(text(found)), bool(new), bool(same)) for found, new, same in answers]

    def claim(self, job_id: JobId, *, now: float, lease: float) -> Claim | None:
        answer = self._db.run("claim", job_id, repr(now), repr(now + lease), _mark())
        if answer is None:
            return None
        token, document, commands, crashes, lapses = answer
        try:
            job = readable(job_id, document)
        except UnreadableRecord as e:
            raise UnreadableRecord(job_id, token=token, crashes=crashes) from e.__cause__
        return Claim(job, LeaseToken(token), commands_of(commands), crashes, lapses)

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
        durable: bool = False,
    ) -> Claim:
        times = (repr(now), repr(now + lease))
        run = self._db.run_durably if durable else self._db.run
        beside = (taken, result_text(result), document or b"")
        commands = run("save", *record(job), claim.token, _mark(), *times, *beside, *logged(log))
        if commands is None:
            raise LeaseLost(job.id)
        return replace(claim, job=job, commands=commands_of(commands))

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
        agenda = (repr(due.at), due.follow_up) if due else ("", "")
        lease = (claim.token, _mark(), repr(now), *agenda, repr(now + retention), taken)
        beside = (result_text(result), document or b"")
        answer = self._db.run("release", *record(job), *lease, *beside, *logged(log))
        if answer is None:
            raise LeaseLost(job.id)
        return bool(answer)

    def dependents(self, job_id: JobId) -> list[JobId]:
        return sorted(JobId(text(each)) for each in self._db.ask("SMEMBERS", self._db.key("after", job_id)))

    def count_dependents(self, job_id: JobId) -> int:
        return int(self._db.ask("SCARD", self._db.key("after", job_id)))

    def load(self, job_id: JobId) -> Job | None:
        return job_of(job_id, self._db.ask("HGET", self._job(job_id), "job"))

    def load_many(self, job_ids: Sequence[JobId]) -> list[Job | None]:
        answers = self._db.ask_all(("HGET", self._job(each), "job") for each in job_ids)
        return [job_of(job_id, answer) for job_id, answer in zip(job_ids, answers, strict=True)]

    def find(self, request_id: str) -> JobId | None:
        found = self._db.ask("HGET", self._db.key("requests"), request_id)
        return None if found is None else JobId(text(found))

    def document(self, job_id: JobId) -> bytes | None:
        found = self._db.ask("HGET", self._job(job_id), "definition")
        return found.encode() if isinstance(found, str) else found

    def result(self, job_id: JobId) -> dict[str, Any] | None:
        found = self._db.ask("HGET", self._job(job_id), "result")
        return None if found is None else json.loads(found)

    def events(self, job_id: JobId, start: int = 0) -> list[Event]:
        log: list[Event] = []
        for entry in self.log(job_id, start):
            if isinstance(entry, Unreadable):
                raise UnreadableRecord(job_id, f"entry {entry.position} of the log")
            log.append(entry)
        return log

    def list_jobs(self, *, states: Sequence[State] = (), limit: int = 100, offset: int = 0) -> list[Job]:
        listed = self.listing(states=states, limit=limit, offset=offset)
        return [each.job for each in listed if each.job is not None]

    def counts(self) -> dict[State, int]:
        answers = self._db.ask_all(("ZCARD", self._db.key("state", state)) for state in State)
        return dict(zip(State, answers, strict=True))

    def find_address(self, address: RemoteAddress) -> JobId | None:
        found = self._db.ask("HGET", self._db.key("addresses"), address)
        return None if found is None else JobId(text(found))

    def find_past_address(self, address: RemoteAddress) -> JobId | None:
        found = self._db.ask("HGET", self._db.key("addresses", "past"), address)
        return None if found is None else JobId(text(found))

    def exposure(self, account: AccountName) -> Exposure:
        fields = ("live", "committed", "allowed", "unlimited")
        answer = self._db.ask("HMGET", self._db.key("exposure", account), *fields)
        live, committed, allowed, unlimited = (int(figure or 0) for figure in answer)
        return Exposure(live, usd(committed), usd(allowed), unlimited)

    def exposed_accounts(self) -> list[AccountName]:
        return sorted(AccountName(text(name)) for name in self._db.ask("SMEMBERS", self._db.key("exposed")))

    def reasons(self) -> dict[Reason, int]:
        found = {
            text(name): int(count) for name, count in self._db.ask("HGETALL", self._db.key("reasons")).items()
        }
        return {reason: found[reason] for reason in sorted(Reason) if reason in found}

    def live_ids(self) -> list[JobId]:
        """As the port says, at one moment: a job that changes its state meanwhile is neither missed nor doubled."""
        live = [state for state in State if not state.is_final]
        answers = self._db.ask_all(("ZRANGE", self._db.key("state", state), 0, -1) for state in live)
        return [JobId(text(job_id)) for answer in answers for job_id in answer]

    def command(self, job_id: JobId, command: Command, *, now: float) -> bool:
        """As the port says. A job that is over keeps no commands; of several stops, or retries, one is kept."""
        return bool(self._db.run("command", job_id, command.kind, command_text(command), repr(now), _mark()))

    def command_many(self, job_ids: Sequence[JobId], command: Command, *, now: float) -> int:
        found = 0
        for at in range(0, len(job_ids), _CHUNK):
            calls = [
                (job_id, command.kind, command_text(command), repr(now), _mark())
                for job_id in job_ids[at : at + _CHUNK]
            ]
            found += sum(int(answer) for answer in self._db.run_all("command", calls))
        return found

    def next_due(self, job_id: JobId) -> Next | None:
        at, follow_up = self._db.ask_all(
            [("ZSCORE", self._db.key("agenda"), job_id), ("HGET", self._job(job_id), "follow_up")]
        )
        return None if at is None or follow_up is None else Next(float(at), FollowUp(text(follow_up)))

    def take_due(self, *, now: float, limit: int, grace: float) -> list[DueJob]:
        answer = self._db.run("take_due", repr(now), max(limit, 0), repr(now + grace))
        return [DueJob(JobId(job_id), FollowUp(follow_up)) for job_id, follow_up in _pairs(answer)]

    def earliest_due(self) -> float | None:
        answer = self._db.run("earliest_due")
        return None if answer is None else float(answer)

    def due_count(self, *, now: float) -> int:
        return int(self._db.ask("ZCOUNT", self._db.key("agenda"), "-inf", repr(now)))

    def wake(self, job_ids: Sequence[JobId], *, now: float) -> None:
        """As the port says. A job that somebody works on is due at once after that; one that is over stays so."""
        chunks = [job_ids[at : at + _CHUNK] for at in range(0, len(job_ids), _CHUNK)]
        self._db.run_all("wake", [(repr(now), *chunk) for chunk in chunks])

    def waiting_accounts(self) -> list[AccountName]:
        return accounts_of(self.waiting_lines())

    def waiting_lines(self) -> list[Line]:
        return sorted(Line(text(name)) for name in self._db.ask("SMEMBERS", self._db.key("waiting")))

    def waiters(self, line: str, limit: int) -> list[Waiter]:
        if limit <= 0:
            return []
        words = [text(item) for item in self._db.run("waiters", line, limit - 1)]
        found = zip(words[::3], words[1::3], words[2::3], strict=True)
        return [waiter(JobId(job_id), float(rank), Decimal(short)) for job_id, rank, short in found]

    def waiting_count(self, account: AccountName) -> int:
        return int(self._db.ask("ZCARD", self._db.key("waiting", account)))

    def is_pinned(self, cid: Cid, account: AccountName) -> bool:
        return self._db.ask("ZSCORE", self._db.key("pins"), f"{account}:{cid}") is not None

    def mark_pinned(self, cid: Cid, account: AccountName) -> None:
        """As the port says. The latest 100,000 are remembered; pinning another one again does no harm."""
        self._db.run("mark_pinned", f"{account}:{cid}")

    def project(self, account: AccountName) -> ProjectAddress | None:
        found = self._db.ask("HGET", self._db.key("projects"), account)
        return None if found is None else ProjectAddress(text(found))

    def note_project(self, account: AccountName, project: ProjectAddress) -> None:
        self._db.ask("HSET", self._db.key("projects"), account, project)

    def take_turn(self, name: str, *, now: float, period: float) -> bool:
        return bool(self._db.run("take_turn", name, repr(now), repr(period)))

    def _job(self, job_id: JobId) -> str:
        return self._db.key("job", job_id)


def _mark() -> str:
    return secrets.token_hex(8)


def _new(new: NewJob) -> list[Argument]:
    """The arguments of `add`."""
    job = new.job
    times = (repr(job.created_at), repr(new.due_at))
    return [
        *record(job),
        job.spec.request_id or "",
        job.fingerprint,
        *times,
        FollowUp.DISPATCH,
        new.document,
        " ".join(upstream.job for upstream in job.spec.after),
        EVENTS.dump_json(new.enqueued),
    ]


def _chunks(jobs: Sequence[NewJob]) -> Iterator[list[NewJob]]:
    chunk: list[NewJob] = []
    size = 0
    for new in jobs:
        if chunk and (len(chunk) == _CHUNK or size + len(new.document) > _CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(new)
        size += len(new.document)
    if chunk:
        yield chunk


def _pairs(answer: Sequence[Any]) -> Iterator[tuple[str, str]]:
    words = [text(item) for item in answer]
    return zip(words[::2], words[1::2], strict=True)
