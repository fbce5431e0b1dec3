"""The one place through which a job changes anything on the network.

`begin` makes the record of a call: its key, from durable identity (job, operation, ordinal, epoch), its payload,
its hold. The engine saves that, and only then `send` sends it. What comes back decides by the error's verdict:
undecided calls stay open and are sent again under the same key; a call that surely did not happen gets the next
epoch; a final refusal closes the call and frees its hold.
"""

from decimal import Decimal
from typing import Final, assert_never

import structlog

from dispatcher.domain import events as ev
from dispatcher.domain.costs import rate
from dispatcher.domain.errors import (
    Bug,
    InsufficientCredits,
    KeyMismatch,
    ProviderError,
    SettingsError,
    Unauthorized,
    Verdict,
)
from dispatcher.domain.ids import HoldId, IdempotencyKey, JobId
from dispatcher.domain.job import Call, Job, Operation, Quote, Reason, Remote
from dispatcher.domain.money import price_at_most
from dispatcher.domain.planner import call_retry
from dispatcher.engine import payload
from dispatcher.engine.money import hold, missing
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import Short
from dispatcher.ports.provider import Provider

_log = structlog.get_logger(__name__)

_ACCOUNT_RETRY: Final = 60.0
"""Seconds. A wrong or a missing key is an operator's to mend; the call had no effect and keeps its key."""

_SENT_AT_ONCE: Final = 5.0
"""Seconds of the wall's time. A call that was written down longer ago may have been sent by a worker that died."""

_DOUBTS: Final = 6
"""How often a call that may have landed is sent before a refusal of it is believed, if it was the last word too."""


def key(job_id: JobId, operation: Operation, ordinal: int, epoch: int) -> IdempotencyKey:
    """`job_…:extend:2:1`: the same call has the same key, whoever computes it, before and after any crash."""
    return IdempotencyKey(f"{job_id}:{operation}:{ordinal}:{epoch}")


def hold_name(job_id: JobId, operation: Operation, ordinal: int) -> HoldId:
    """The hold of one call, through all its epochs."""
    return HoldId(f"{job_id}:{operation}:{ordinal}")


def begin(parts: Parts, job: Job, operation: Operation, seconds: int) -> list[ev.Event]:
    """The record of a new call, to be saved before it is sent; or a wait if its credits cannot be held."""
    match operation:
        case Operation.POST:
            quote = _quoted(job)
            call = _call(parts, job, operation, job.posts + 1, quote.seconds, quote.hold, quote.amount)
        case Operation.EXTEND:
            ordinal = job.extend_calls + 1
            hourly = max(_quoted(job).rate_per_hour, rate(job) or Decimal(0))
            amount = price_at_most(hourly, seconds)
            name = hold_name(job.id, operation, ordinal)
            try:
                held = hold(parts, job, name, amount)
            except (ProviderError, SettingsError) as e:
                return [ev.Waited(at=parts.clock.now(), reason=Reason.AWAITING_NETWORK, detail=str(e))]
            if isinstance(held, Short):
                detail = f"an extension needs ${amount}, available ${held.available}"
                return [
                    ev.Waited(
                        at=parts.clock.now(),
                        reason=Reason.AWAITING_CREDIT,
                        detail=detail,
                        short_usd=amount,
                    )
                ]
            call = _call(parts, job, operation, ordinal, seconds, name, held.amount)
        case Operation.STOP:
            call = _call(parts, job, operation, job.stops + 1, 0, None, Decimal(0))
        case _:
            assert_never(operation)
    return [ev.CallIntended(at=call.intended_at, call=call)]


def send(parts: Parts, job: Job) -> list[ev.Event]:
    """Send the open call of `job`, which is saved already, and say what came of it."""
    call = job.call
    if call is None:
        raise Bug(f"{job.id} has no call to send")
    payload.check(job)
    may_have_landed = call.tries > 0 or parts.clock.now() - call.intended_at > parts.pace(_SENT_AT_ONCE)
    try:
        provider = parts.providers.account(job.spec.account)
        return _ask(parts, provider, job, call)
    except (Unauthorized, SettingsError) as e:
        return [_undecided(parts, call, str(e), _ACCOUNT_RETRY)]
    except ProviderError as e:
        believed = not may_have_landed or (call.tries >= _DOUBTS and call.error == str(e))
        doubtful = e.verdict is Verdict.FINAL and not believed
        if e.verdict is Verdict.SAME_KEY or (doubtful and call.operation is not Operation.STOP):
            # Of a call that landed the network would repeat the answer. What refuses it may be something in
            # between, and believing that would abandon, or post again, a job that is there.
            now = parts.clock.now()
            wait = call_retry(job, call.tries + 1, e.retry_after, _left(job, now))
            return [_undecided(parts, call, str(e), wait)]
        return _denied(parts, job, call, e)


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


def _undecided(parts: Parts, call: Call, error: str, wait: float) -> ev.Event:
    now = parts.clock.now()
    return ev.CallUndecided(at=now, operation=call.operation, key=call.key, error=error, retry_at=now + wait)


def _denied(parts: Parts, job: Job, call: Call, error: ProviderError) -> list[ev.Event]:
    """What a call comes to that surely had no effect."""
    now, text, operation = parts.clock.now(), str(error), call.operation
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
        short = missing(parts, job.spec.account, error.required, call.amount)
        return [ev.CallShort(at=now, operation=operation, key=call.key, error=text, short_usd=short)]
    refused: list[ev.Event] = [ev.CallRefused(at=now, operation=operation, key=call.key, error=text)]
    if operation is Operation.STOP:
        refused.append(ev.Waited(at=now, reason=Reason.STOP_REQUESTED, detail=text))
    return refused


def _call(
    parts: Parts,
    job: Job,
    operation: Operation,
    ordinal: int,
    seconds: int,
    hold_id: HoldId | None,
    amount: Decimal,
) -> Call:
    return Call(
        operation=operation,
        ordinal=ordinal,
        key=key(job.id, operation, ordinal, 1),
        payload=payload.digest(job, operation, seconds),
        seconds=seconds,
        hold=hold_id,
        amount=amount,
        intended_at=parts.clock.now(),
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
