"""What a call comes to that did not simply succeed: undecided, undone, held back, withdrawn, denied."""

from typing import Final

import structlog

from dispatcher.domain import events as ev
from dispatcher.domain.attempts import may_follow_refusal
from dispatcher.domain.errors import (
    InsufficientCredits,
    KeyMismatch,
    NotSent,
    ProviderError,
    Verdict,
)
from dispatcher.domain.job import Call, Job
from dispatcher.domain.rules.pace import call_retry
from dispatcher.domain.words import Operation, Reason
from dispatcher.engine.keys import key
from dispatcher.engine.money import missing
from dispatcher.engine.parts import Parts

_log = structlog.get_logger(__name__)

ACCOUNT_RETRY: Final = 60.0
"""Seconds. A wrong or a missing key is an operator's to mend; the call had no effect and keeps its key."""


def undecided(parts: Parts, call: Call, error: str, wait: float, *, doubtful: bool = False) -> ev.Event:
    now = parts.clock.now()
    return ev.CallUndecided(
        at=now, operation=call.operation, key=call.key, error=error, retry_at=now + wait, doubtful=doubtful
    )


def undone(parts: Parts, job: Job, call: Call, error: Exception, wait: float) -> ev.Event:
    """The call surely had no effect, and without a key that is not sent again but begun anew. A post's hold stays for
    the next one."""
    if call.hold is not None and call.operation is not Operation.POST:
        parts.ledger.void(job.account, call.hold)
    now = parts.clock.now()
    return ev.CallUndone(
        at=now, operation=call.operation, key=call.key, error=str(error), retry_at=now + wait
    )


def retry_in(parts: Parts, job: Job, call: Call, error: ProviderError) -> float:
    return call_retry(job, call.tries + 1, error.retry_after, _left(job, parts.clock.now()))


def held_back(parts: Parts, job: Job, call: Call, held: NotSent, *, in_doubt: bool) -> ev.Event:
    now = parts.clock.now()
    return ev.CallUndecided(
        at=now,
        operation=call.operation,
        key=call.key,
        error=str(held),
        retry_at=now + call_retry(job, call.tries, held.retry_after, _left(job, now)),
        sent=False,
        in_doubt=in_doubt,
    )


def withdrawn(parts: Parts, job: Job, call: Call) -> list[ev.Event]:
    """A post that was held back so far, of a job that is to be stopped: it is not sent at all."""
    if call.hold is not None:
        parts.ledger.void(job.account, call.hold)
    text = "post: not sent, since the job is to be stopped"
    return [ev.CallRefused(at=parts.clock.now(), operation=call.operation, key=call.key, error=text)]


def denied(parts: Parts, job: Job, call: Call, error: ProviderError) -> list[ev.Event]:
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
    short = isinstance(error, InsufficientCredits)
    goes_along = operation is Operation.POST and not short and may_follow_refusal(job)
    if call.hold is not None and not goes_along:
        parts.ledger.void(job.account, call.hold)
    if isinstance(error, InsufficientCredits) and operation is not Operation.STOP:
        asked = missing(parts, job.account, error.required, call.amount)
        return [ev.CallShort(at=now, operation=operation, key=call.key, error=text, short_usd=asked)]
    refused: list[ev.Event] = [ev.CallRefused(at=now, operation=operation, key=call.key, error=text)]
    if operation is Operation.STOP:
        refused.append(ev.Waited(at=now, reason=Reason.STOP_REQUESTED, detail=text))
    return refused


def _left(job: Job, now: float) -> float | None:
    return None if job.remote is None or job.remote.deadline is None else job.remote.deadline - now
