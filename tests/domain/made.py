"""Requests, jobs and events for the tests of the domain. Jobs come about as real ones do: by applying events.

The market asks 3.6 dollars an hour, so that a second costs a thousandth of a dollar.
"""

from decimal import Decimal
from functools import reduce
from typing import Any, Literal, assert_never

from dispatcher.domain import events as ev
from dispatcher.domain.cid import Cid
from dispatcher.domain.costs import first_seconds
from dispatcher.domain.ids import HoldId, IdempotencyKey, JobId, MarketAddress, RemoteAddress
from dispatcher.domain.job import Call, Ending, Job, Quote
from dispatcher.domain.lifecycle import apply, create
from dispatcher.domain.money import price, price_at_most
from dispatcher.domain.request import JobRequest, JobSpec
from dispatcher.domain.words import Operation, Phase, Reason, State

T0 = 1_800_000_000.0
"""When jobs are enqueued, posted and taken by a host, unless a test says otherwise: 2027-01-15T08:00:00Z."""

RATE = Decimal("3.6")
JOB_ID = JobId("job_000000000000000000000001")
MARKET = MarketAddress("7AtiXMSH6R1jjBxrcYjehCkkSF7zvYWte63gwEDBcGHq")
ADDRESS = RemoteAddress("5K7vH9QmPzXrT2bNcY8wLdJ4sFgA6eUoRk1MnBtVxCqE")
NODE = "9uZ3kQvWmLpXsYtRbNcA7eFhGdJ2oTiUyKxV4n5B6qMr"
CID = Cid("QmbJWAESqCsf4RFCqEY7jecCashj8usXiyDNfKtZCwwzGb")
RESULT = Cid("QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o")
DEFINITION: dict[str, Any] = {
    "version": "0.1",
    "type": "container",
    "ops": [{"type": "container/run", "id": "main", "args": {"image": "ubuntu", "cmd": "echo hello"}}],
}

EVERYTHING: dict[str, Any] = {
    "market": MARKET,
    "timeout": "45m",
    "policies": {
        "poll": {"every": "20s", "backoff": 2},
        "extend": {"by": "30m", "margin": "2m", "max_cost": "2.50", "max_times": 4},
        "stop": {"after": "6h", "at": "2027-12-24T18:00:00+01:00", "max_cost": "3"},
        "credit": {"when_short": "fail"},
    },
    "request_id": "order-17",
    "account": "team-a",
    "node": NODE,
    "priority": 5,
    "labels": {"customer": "a b", "env": "prod"},
}
"""All the fields of a request but for its definition, none at its default."""


def fields(**changes: Any) -> dict[str, Any]:
    """A request as decoded JSON; a change to None leaves the field out."""
    asked = {"definition": DEFINITION, "market": "nvidia-3060", "timeout": "30m", **changes}
    return {name: value for name, value in asked.items() if value is not None}


def request(**changes: Any) -> JobRequest:
    return JobRequest(**fields(**changes))


def enqueued(*, at: float = T0, **spec: Any) -> ev.Enqueued:
    asked = JobSpec(**{"market": "nvidia-3060", "timeout": "30m", **spec})
    return ev.Enqueued(at=at, id=JOB_ID, spec=asked, fingerprint="f" * 64, cid=CID)


def after(job: Job, *happened: ev.Event) -> Job:
    """The record after all these events."""
    return reduce(apply, happened, job)


def held(job: Job, *, at: float = T0, rate: Decimal = RATE) -> ev.CreditHeld:
    seconds = first_seconds(job.spec, rate, at, job.spend.earlier)
    quote = Quote(
        market=MARKET,
        rate_per_hour=rate,
        fee_percent=Decimal(10),
        seconds=seconds,
        amount=price_at_most(rate, seconds),
        hold=HoldId(f"{job.id}:post:{job.posts + 1}"),
    )
    return ev.CreditHeld(at=at, quote=quote)


def intended(job: Job, operation: Operation, seconds: int = 0, *, at: float = T0) -> ev.CallIntended:
    """A call that is written down, with the ordinal, key, hold and amount that the engine gives it."""
    match operation:
        case Operation.POST:
            assert job.quote is not None
            ordinal, seconds, amount = job.posts + 1, job.quote.seconds, job.quote.amount
        case Operation.EXTEND:
            ordinal, amount = job.extend_calls + 1, price_at_most(RATE, seconds)
        case Operation.STOP:
            ordinal, amount = job.stops + 1, Decimal(0)
        case _:
            assert_never(operation)
    name = f"{job.id}:{operation}:{ordinal}"
    call = Call(
        operation=operation,
        ordinal=ordinal,
        key=IdempotencyKey(f"{name}:1"),
        seconds=seconds,
        hold=None if operation is Operation.STOP else HoldId(name),
        amount=amount,
        intended_at=at,
    )
    return ev.CallIntended(at=at, call=call)


def open_call(job: Job) -> Call:
    assert job.call is not None
    return job.call


def undecided(job: Job, *, at: float = T0, retry_at: float = T0 + 2) -> ev.CallUndecided:
    call = open_call(job)
    return ev.CallUndecided(at=at, operation=call.operation, key=call.key, error="cut", retry_at=retry_at)


def doubtful(job: Job, *, at: float = T0) -> ev.CallUndecided:
    """Undecided on an account without idempotency keys."""
    return undecided(job, at=at, retry_at=at).model_copy(update={"doubtful": True})


def undone(job: Job, *, at: float = T0, retry_at: float = T0) -> ev.CallUndone:
    call = open_call(job)
    return ev.CallUndone(at=at, operation=call.operation, key=call.key, error="wait", retry_at=retry_at)


def sought(job: Job, error: str | None = None, *, at: float = T0, hopeless: bool = False) -> ev.CallSought:
    return ev.CallSought(at=at, key=open_call(job).key, error=error, hopeless=hopeless)


def unresolved(job: Job, *, at: float = T0) -> ev.CallUnresolved:
    return ev.CallUnresolved(at=at, key=open_call(job).key, detail="say where it is")


def not_found(job: Job, *, at: float = T0) -> ev.CallNotFound:
    call = open_call(job)
    return ev.CallNotFound(at=at, operation=call.operation, key=call.key, by="search")


def found(job: Job, *, at: float = T0) -> ev.PostFound:
    call = open_call(job)
    amount = price(RATE, call.seconds)
    return ev.PostFound(
        at=at, key=call.key, address=ADDRESS, seconds=call.seconds, amount=amount, by="search"
    )


def expired(job: Job, *, at: float = T0, retry_at: float = T0) -> ev.CallExpired:
    call = open_call(job)
    next_key = IdempotencyKey(f"{job.id}:{call.operation}:{call.ordinal}:{call.epoch + 1}")
    return ev.CallExpired(
        at=at, operation=call.operation, key=call.key, next_key=next_key, error="dead", retry_at=retry_at
    )


def refused(job: Job, *, at: float = T0) -> ev.CallRefused:
    call = open_call(job)
    return ev.CallRefused(at=at, operation=call.operation, key=call.key, error="no (HTTP 400)")


def short(job: Job, *, at: float = T0) -> ev.CallShort:
    call = open_call(job)
    return ev.CallShort(
        at=at, operation=call.operation, key=call.key, error="Insufficient credits", short_usd=call.amount
    )


def posted(job: Job, *, at: float = T0) -> ev.Posted:
    call = open_call(job)
    return ev.Posted(
        at=at,
        key=call.key,
        address=ADDRESS,
        run="run",
        seconds=call.seconds,
        amount=price(RATE, call.seconds),
    )


def extended(job: Job, *, at: float = T0, landed: bool = True) -> ev.Extended:
    call = open_call(job)
    amount = price(RATE, call.seconds) if landed else Decimal(0)
    return ev.Extended(at=at, key=call.key, seconds=call.seconds, amount=amount, landed=landed)


def confirmed(
    job: Job, outcome: Literal["delisted", "ended", "already_terminal"] = "ended", *, at: float = T0
) -> ev.StopConfirmed:
    return ev.StopConfirmed(at=at, key=open_call(job).key, outcome=outcome)


def observed(job: Job, phase: Phase, *, at: float = T0, **changes: Any) -> ev.Observed:
    """The network's record in `phase`, otherwise as it was last seen; started at T0 where it must have started."""
    assert job.remote is not None
    shown = {
        name: getattr(job.remote, name)
        for name in ev.Observed.model_fields
        if name not in {"kind", *ev.EventBase.model_fields}
    }
    if phase is Phase.RUNNING and shown["started_at"] is None:
        shown |= {"started_at": at, "node": NODE}
    return ev.Observed(**{**shown, "at": at, "phase": phase, **changes})


def waited(reason: Reason, *, at: float = T0, detail: str = "") -> ev.Waited:
    return ev.Waited(at=at, reason=reason, detail=detail, short_usd=Decimal(1))


def ordered_stop(*, at: float = T0, reason: Reason = Reason.OPERATOR) -> ev.StopOrdered:
    return ev.StopOrdered(at=at, reason=reason, by="tester")


def ended(state: State = State.COMPLETED, *, at: float = T0, settled: str = "0") -> ev.Ended:
    return ev.Ended(
        at=at,
        state=state,
        reason=Reason.FINISHED,
        ending=Ending(at=at, exit_code=0),
        settled=Decimal(settled),
    )


def new_job(*, at: float = T0, **spec: Any) -> Job:
    return create(enqueued(at=at, **spec))


def held_job(**spec: Any) -> Job:
    job = new_job(**spec)
    return apply(job, held(job))


def pinned_job(**spec: Any) -> Job:
    return apply(held_job(**spec), ev.Pinned(at=T0, known=False))


def posting_job(**spec: Any) -> Job:
    job = pinned_job(**spec)
    return apply(job, intended(job, Operation.POST))


def searching_job(**spec: Any) -> Job:
    """Posted at T0 without an answer, on an account without idempotency keys."""
    job = posting_job(**spec)
    return apply(job, doubtful(job))


def queued_job(**spec: Any) -> Job:
    """Posted at T0, and not seen on the network yet."""
    job = posting_job(**spec)
    return apply(job, posted(job))


def running_job(**spec: Any) -> Job:
    """Posted and taken by a host at T0."""
    job = queued_job(**spec)
    return apply(job, observed(job, Phase.RUNNING))


def extending_job(seconds: int = 1800, **spec: Any) -> Job:
    """Runs since T0; an extension is written down."""
    job = running_job(**spec)
    return apply(job, intended(job, Operation.EXTEND, seconds))


def missing_job(job: Job, *, at: float = T0) -> Job:
    """The network does not know it."""
    return apply(job, ev.Looked(at=at, missing=True))


def searching_extension(**spec: Any) -> Job:
    """An extension may have landed, on an account without idempotency keys."""
    job = extending_job(**spec)
    return apply(job, doubtful(job))


def stopping_job(**spec: Any) -> Job:
    """Runs since T0; an operator's stop is written down."""
    job = apply(running_job(**spec), ordered_stop())
    return apply(job, intended(job, Operation.STOP))


def over_job(phase: Phase = Phase.DONE, **spec: Any) -> Job:
    """Ran from T0 for 100 seconds; the network shows it as over, without a result so far."""
    job = running_job(**spec)
    return apply(job, observed(job, phase, at=T0 + 110, ended_at=T0 + 100))


def ended_job(state: State = State.COMPLETED, **spec: Any) -> Job:
    return apply(over_job(**spec), ended(state, at=T0 + 120, settled="0.1"))


def job_in(state: State) -> Job:
    """A job in `state`."""
    match state:
        case State.ENQUEUED:
            return held_job()
        case State.PINNED:
            return pinned_job()
        case State.POSTING:
            return posting_job()
        case State.QUEUED:
            return queued_job()
        case State.RUNNING:
            return running_job()
        case State.STOPPING:
            return stopping_job()
        case State.REJECTED:
            return apply(held_job(), ended(State.REJECTED))
        case State.COMPLETED | State.FAILED | State.STOPPED:
            return ended_job(state)
