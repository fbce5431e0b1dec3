"""The one place through which a job changes anything on the network.

`begin` makes the record of a call: its key, from durable identity (job, operation, ordinal, epoch), its payload,
its hold. The engine saves that, and only then `send` sends it. What comes back decides by the error's verdict:
undecided calls stay open and are sent again under the same key; a call that surely did not happen gets the next
epoch; a final refusal closes the call and frees its hold.
"""

from decimal import Decimal
from typing import assert_never

import structlog

from dispatcher.domain import events as ev
from dispatcher.domain.costs import rate
from dispatcher.domain.errors import (
    Bug,
    InsufficientCredits,
    KeyMismatch,
    ProviderError,
    Unauthorized,
    Verdict,
)
from dispatcher.domain.ids import HoldId, IdempotencyKey, JobId
from dispatcher.domain.job import Call, Job, Operation, Quote, Reason, Remote
from dispatcher.domain.money import price_at_most
from dispatcher.domain.planner import call_retry
from dispatcher.engine.money import hold
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import Short
from dispatcher.ports.provider import Provider

_log = structlog.get_logger(__name__)

_UNAUTHORIZED_RETRY = 60.0
"""Seconds. A wrong key is an operator's to mend; the call had no effect and keeps its key."""


def key(job_id: JobId, operation: Operation, ordinal: int, epoch: int) -> IdempotencyKey:
    """`job_…:extend:2:1`: the same call has the same key, whoever computes it, before and after any crash."""
    return IdempotencyKey(f"{job_id}:{operation}:{ordinal}:{epoch}")


def hold_name(job_id: JobId, operation: Operation, ordinal: int) -> HoldId:
    """The hold of one call, through all its epochs."""
    return HoldId(f"{job_id}:{operation}:{ordinal}")


def begin(parts: Parts, job: Job, operation: Operation, seconds: int, now: float) -> list[ev.Event]:
    """The record of a new call, to be saved before it is sent; or a wait if its credits cannot be held."""
    match operation:
        case Operation.POST:
            quote = _quoted(job)
            call = _call(job, operation, job.posts + 1, now, quote.seconds, quote.hold, quote.amount)
        case Operation.EXTEND:
            ordinal = job.extend_calls + 1
            hourly = max(_quoted(job).rate_per_hour, rate(job) or Decimal(0))
            amount = price_at_most(hourly, seconds)
            name = hold_name(job.id, operation, ordinal)
            try:
                held = hold(parts, job, name, amount)
            except ProviderError as e:
                return [ev.Waited(at=now, reason=Reason.AWAITING_NETWORK, detail=str(e))]
            if isinstance(held, Short):
                detail = f"an extension needs ${amount}, available ${held.available}"
                return [ev.Waited(at=now, reason=Reason.AWAITING_CREDIT, detail=detail, short_usd=amount)]
            call = _call(job, operation, ordinal, now, seconds, name, held.amount)
        case Operation.STOP:
            call = _call(job, operation, job.stops + 1, now, 0, None, Decimal(0))
        case _:
            assert_never(operation)
    return [ev.CallIntended(at=now, call=call)]


def send(parts: Parts, job: Job, now: float) -> list[ev.Event]:
    """Send the open call of `job`, which is saved already, and say what came of it."""
    call = job.call
    if call is None:
        raise Bug(f"{job.id} has no call to send")
    provider = parts.providers.account(job.spec.account)
    try:
        return _ask(parts, provider, job, call)
    except ProviderError as e:
        return _after_error(parts, job, call, e, now)


def _ask(parts: Parts, provider: Provider, job: Job, call: Call) -> list[ev.Event]:
    match call.operation:
        case Operation.POST:
            quote = _quoted(job)
            posted = provider.post(
                cid=job.cid, market=quote.market, seconds=call.seconds, node=job.spec.node, key=call.key
            )
            parts.ledger.confirm(job.spec.account, quote.hold, posted.amount)
            return [
                ev.Posted(
                    at=parts.clock.now(),
                    key=call.key,
                    address=posted.address,
                    run=posted.run,
                    seconds=call.seconds,
                    amount=posted.amount,
                    reservation=posted.reservation,
                )
            ]
        case Operation.EXTEND:
            extended = provider.extend(_remote(job).address, seconds=call.seconds, key=call.key)
            if call.hold is not None:
                if extended.landed:
                    parts.ledger.confirm(job.spec.account, call.hold, extended.amount)
                else:
                    parts.ledger.void(job.spec.account, call.hold)
            return [
                ev.Extended(
                    at=parts.clock.now(),
                    key=call.key,
                    seconds=call.seconds,
                    amount=extended.amount,
                    landed=extended.landed,
                    reservation=extended.reservation,
                )
            ]
        case Operation.STOP:
            stopped = provider.stop(_remote(job).address, key=call.key)
            return [ev.StopConfirmed(at=parts.clock.now(), key=call.key, outcome=stopped.outcome)]
        case _:
            assert_never(call.operation)


def _after_error(parts: Parts, job: Job, call: Call, error: ProviderError, now: float) -> list[ev.Event]:
    text, operation = str(error), call.operation
    if isinstance(error, Unauthorized):
        retry_at = now + _UNAUTHORIZED_RETRY
        return [ev.CallUndecided(at=now, operation=operation, key=call.key, error=text, retry_at=retry_at)]
    if error.verdict is Verdict.SAME_KEY:
        retry_at = now + call_retry(job, call.tries + 1, error.retry_after, _left(job, now))
        return [ev.CallUndecided(at=now, operation=operation, key=call.key, error=text, retry_at=retry_at)]
    if error.verdict is Verdict.NEW_KEY and not (operation is Operation.POST and job.stop is not None):
        next_key = key(job.id, operation, call.ordinal, call.epoch + 1)
        retry_at = now if call.epoch == 1 else now + call_retry(job, call.epoch, None, _left(job, now))
        return [
            ev.CallExpired(
                at=now, operation=operation, key=call.key, next_key=next_key, error=text, retry_at=retry_at
            )
        ]
    if isinstance(error, KeyMismatch):
        _log.error("idempotency_key_mismatch", job=job.id, key=call.key, error=text)
    if call.hold is not None:
        parts.ledger.void(job.spec.account, call.hold)
    if isinstance(error, InsufficientCredits) and operation is not Operation.STOP:
        return [
            ev.CallShort(
                at=now, operation=operation, key=call.key, error=text, short_usd=error.required or call.amount
            )
        ]
    refused: list[ev.Event] = [ev.CallRefused(at=now, operation=operation, key=call.key, error=text)]
    if operation is Operation.STOP:
        refused.append(ev.Waited(at=now, reason=Reason.STOP_REQUESTED, detail=text))
    return refused


def _call(
    job: Job,
    operation: Operation,
    ordinal: int,
    now: float,
    seconds: int,
    hold_id: HoldId | None,
    amount: Decimal,
) -> Call:
    return Call(
        operation=operation,
        ordinal=ordinal,
        key=key(job.id, operation, ordinal, 1),
        seconds=seconds,
        hold=hold_id,
        amount=amount,
        intended_at=now,
    )


def _left(job: Job, now: float) -> float | None:
    return None if job.remote is None or job.remote.deadline is None else job.remote.deadline - now


def _quoted(job: Job) -> Quote:
    if job.quote is None:
        raise Bug(f"{job.id} has no quote")
    return job.quote


def _remote(job: Job) -> Remote:
    if job.remote is None:
        raise Bug(f"{job.id} is not on the network")
    return job.remote
