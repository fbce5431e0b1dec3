"""Jobs and events for the tests of the stores, made as the engine makes them: by `lifecycle`."""

from decimal import Decimal
from typing import Any

from dispatcher.domain import events as ev
from dispatcher.domain.cid import cid_of
from dispatcher.domain.ids import AccountName, JobId, RemoteAddress
from dispatcher.domain.job import Ending, Job
from dispatcher.domain.lifecycle import apply, create
from dispatcher.domain.request import JobSpec
from dispatcher.domain.words import FollowUp, Reason, State
from dispatcher.ports.store import Claim, Command, JobStore, NewJob, Next

T0 = 1_700_000_000.125
"""The tests' beginning of time."""

LEASE = 60.0
DAY = 86_400.0

DOCUMENT = '{"ops":[],"name":"Grüße"}'.encode()


def job_id(number: int) -> JobId:
    return JobId(f"job_{number:026d}")


def new_job(
    number: int = 1,
    *,
    at: float = T0,
    due_at: float | None = None,
    fingerprint: str = "f" * 64,
    document: bytes = DOCUMENT,
    **spec: Any,
) -> NewJob:
    enqueued = ev.Enqueued(
        at=at,
        id=job_id(number),
        spec=JobSpec(**{"market": "some-market", "timeout": "30m", **spec}),
        fingerprint=fingerprint,
        cid=cid_of(document),
    )
    return NewJob(create(enqueued), enqueued, document, at if due_at is None else due_at)


def added(store: JobStore, number: int = 1, **fields: Any) -> Job:
    """A job that was just stored."""
    new = new_job(number, **fields)
    assert store.add([new])[0].new
    return new.job


def claimed(store: JobStore, job: JobId, now: float = T0, lease: float = LEASE) -> Claim:
    claim = store.claim(job, now=now, lease=lease)
    assert claim is not None
    return claim


def short_of_credit(at: float, short: str | None = "1.5") -> ev.Waited:
    missing = None if short is None else Decimal(short)
    return ev.Waited(at=at, reason=Reason.AWAITING_CREDIT, detail="too little", short_usd=missing)


def ended(at: float) -> ev.Ended:
    return ev.Ended(
        at=at, state=State.REJECTED, reason=Reason.NO_CREDIT, ending=Ending(at=at), settled=Decimal(0)
    )


def in_store(store: JobStore, job: JobId, event: ev.Event, now: float, retention: float = DAY) -> Job:
    """Let `event` happen to the stored job, as a worker would."""
    claim = claimed(store, job, now)
    after = apply(claim.job, event)
    due = None if after.state.is_final else Next(now + 1000, FollowUp.DISPATCH)
    assert store.release(claim, after, [event], now=now, due=due, retention=retention)
    return after


def with_credit_wait(
    store: JobStore, number: int, *, since: float, short: str | None = "1.5", **spec: Any
) -> JobId:
    """A stored job that waits for credit."""
    job = added(store, number, **spec)
    in_store(store, job.id, short_of_credit(since, short), since)
    return job.id


def stop(at: float = T0, by: str = "operator") -> Command:
    return Command("stop", by, at)


def extend(seconds: int = 600, at: float = T0, by: str = "operator") -> Command:
    return Command("extend", by, at, seconds)


def retry(at: float = T0, by: str = "credit") -> Command:
    return Command("retry", by, at)


def resolve(at: float = T0, by: str = "operator", address: str | None = None) -> Command:
    return Command("resolve", by, at, address=None if address is None else RemoteAddress(address))


def account(name: str = "default") -> AccountName:
    return AccountName(name)
