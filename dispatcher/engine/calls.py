"""The one place through which a job changes anything on the network.

`begin` makes the record of a call: its key, from durable identity (job, operation, ordinal, epoch), its payload,
its hold. The engine saves that, and only then `send` sends it. What comes back decides by the error's verdict:
undecided calls stay open and are sent again under the same key; a call that surely did not happen gets the next
epoch; a final refusal closes the call and frees its hold.

On an account without idempotency keys a call is sent once. What may have landed is looked for then (`finding`); what
surely did not have an effect makes room for another call. Stops are sent again there as well: a second one does
nothing.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final, assert_never

import structlog

from dispatcher.domain import events as ev
from dispatcher.domain.costs import rate
from dispatcher.domain.errors import (
    Bug,
    NotFound,
    NotSent,
    ProviderError,
    RateLimited,
    SettingsError,
    Unauthorized,
    Verdict,
)
from dispatcher.domain.ids import HoldId, IdempotencyKey
from dispatcher.domain.job import Call, Job, Quote, Remote
from dispatcher.domain.money import price_at_most
from dispatcher.domain.words import Operation, Phase, Reason
from dispatcher.engine import payload
from dispatcher.engine.answers import ACCOUNT_RETRY, denied, held_back, retry_in, undecided, undone, withdrawn
from dispatcher.engine.keys import hold_name, key
from dispatcher.engine.money import hold, not_held
from dispatcher.engine.parts import Parts
from dispatcher.engine.projects import learn_project
from dispatcher.engine.waiting import waited
from dispatcher.ports.ledger import Held
from dispatcher.ports.mending import Stray
from dispatcher.ports.provider import Provider

_log = structlog.get_logger(__name__)


_SENT_AT_ONCE: Final = 5.0
"""Seconds of the wall's time. A call that was written down longer ago may have been sent by a worker that died."""

_UNHEARD: Final = "whoever was to send it was not heard of again"

_DOUBTS: Final = 6
"""How often a call that may have landed is sent before a refusal of it is believed, if it was the last word too."""


def begin(parts: Parts, job: Job, operation: Operation, seconds: int) -> list[ev.Event]:
    """The record of a new call, to be saved before it is sent; or a wait if its credits cannot be held."""
    match operation:
        case Operation.POST:
            quote = _quoted(job)
            if (frozen := parts.ledger.view(job.account).frozen) is not None:
                # Its credits are held; what is not written down yet is not begun all the same.
                return [not_held(parts, job, frozen, Decimal(0), "")]
            call = _call(parts, job, operation, job.posts + 1, quote.seconds, quote.hold, quote.amount)
        case Operation.EXTEND:
            ordinal = job.extend_calls + 1
            hourly = max(_quoted(job).rate_per_hour, rate(job) or Decimal(0))
            amount = price_at_most(hourly, seconds)
            name = hold_name(job.id, operation, ordinal)
            try:
                held = hold(parts, job, name, amount, even_if_old=True)
            except (ProviderError, SettingsError) as e:
                return [waited(parts.clock.now(), Reason.AWAITING_NETWORK, e)]
            if not isinstance(held, Held):
                return [not_held(parts, job, held, amount, "an extension ")]
            call = _call(parts, job, operation, ordinal, seconds, name, held.amount)
        case Operation.STOP:
            call = _call(parts, job, operation, job.stops + 1, 0, None, Decimal(0))
        case _:
            assert_never(operation)
    return [ev.CallIntended(at=call.intended_at, call=call)]


def send(parts: Parts, job: Job, *, found: IdempotencyKey | None = None) -> list[ev.Event]:
    """Send the open call of `job`, which is saved already, and say what came of it.

    `found`: the key of the call that was open when this turn began: whoever wrote it down may have sent it.
    """
    call = job.call
    if call is None:
        raise Bug(f"{job.id} has no call to send")
    payload.check(job)
    since = call.unsent_until if call.unsent_until is not None else call.intended_at
    is_old = call.key == found or parts.clock.now() - since > parts.pace(_SENT_AT_ONCE)
    may_have_landed = call.tries > 0 or is_old
    if (
        call.operation is Operation.POST
        and job.stop is not None
        and call.unsent_until
        and not may_have_landed
    ):
        return withdrawn(parts, job, call)
    repeatable = True
    try:
        before = None if job.remote is None else job.remote.deadline
        provider = parts.providers.account(job.account, before=before)
        repeatable = provider.capabilities.idempotency_keys or call.operation is Operation.STOP
        if not repeatable and may_have_landed:
            return [undecided(parts, call, call.error or _UNHEARD, 0, doubtful=True)]
        return _ask(parts, provider, job, call)
    except NotSent as e:
        return [held_back(parts, job, call, e, in_doubt=may_have_landed)]
    except (Unauthorized, SettingsError) as e:
        if not repeatable:
            return [undone(parts, job, call, e, ACCOUNT_RETRY)]
        return [undecided(parts, call, str(e), ACCOUNT_RETRY)]
    except RateLimited as e:
        if not repeatable:
            return [undone(parts, job, call, e, e.retry_after or 0)]
        return [undecided(parts, call, str(e), retry_in(parts, job, call, e))]
    except ProviderError as e:
        if not repeatable and e.verdict is Verdict.SAME_KEY:
            return [undecided(parts, call, str(e), 0, doubtful=True)]
        believed = not may_have_landed or (call.tries >= _DOUBTS and call.error == str(e))
        doubtful = e.verdict is Verdict.FINAL and not believed
        if e.verdict is Verdict.SAME_KEY or (doubtful and call.operation is not Operation.STOP):
            # Of a call that landed the network would repeat the answer. What refuses it may be something in
            # between, and believing that would abandon, or post again, a job that is there.
            return [undecided(parts, call, str(e), retry_in(parts, job, call, e))]
        return denied(parts, job, call, e)


def stop_stray(parts: Parts, stray: Stray) -> Stray:
    """Stop a job on the network that no record has; written down with its key before it is sent.

    The answer is what is remembered of it: while it is open, the call has to be made again.
    """
    stray = replace(stray, tries=stray.tries + 1, noted_at=parts.clock.now())
    parts.store.note_stray(stray)
    try:
        provider = parts.providers.account(stray.account)
        stray = replace(stray, outcome=_stopped_stray(provider, stray))
    except NotSent as e:
        _log.info("stray_stop_held_back", account=stray.account, address=stray.address, error=str(e))
        stray = replace(stray, tries=stray.tries - 1)
    except (Unauthorized, SettingsError) as e:
        _log.warning("stray_stop_undecided", account=stray.account, address=stray.address, error=str(e))
    except ProviderError as e:
        _log.warning("stray_stop_undecided", account=stray.account, address=stray.address, error=str(e))
        if e.verdict is not Verdict.SAME_KEY:
            # Under the old key the answer would always be the same.
            stray = replace(stray, epoch=stray.epoch + 1)
    parts.store.note_stray(stray)
    return stray


def _stopped_stray(provider: Provider, stray: Stray) -> str:
    try:
        return provider.stop(
            stray.address, key=IdempotencyKey(f"stray:{stray.address}:stop:{stray.epoch}")
        ).outcome
    except NotFound:
        try:
            seen = provider.get(stray.address)
        except NotFound:
            return "gone"  # a queued job that was stopped is not known any more
        if seen.phase not in (Phase.QUEUED, Phase.RUNNING):
            return "already_terminal"
        raise


def _ask(parts: Parts, provider: Provider, job: Job, call: Call) -> list[ev.Event]:
    match call.operation:
        case Operation.POST:
            quote = _quoted(job)
            posted = provider.post(
                cid=job.cid, market=quote.market, seconds=call.seconds, node=job.spec.node, key=call.key
            )
            parts.ledger.confirm(job.account, quote.hold, posted.amount)
            learn_project(parts, provider, job.account, posted.project)
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
                    parts.ledger.confirm(job.account, call.hold, extended.amount)
                else:
                    parts.ledger.void(job.account, call.hold)
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


def _quoted(job: Job) -> Quote:
    if job.quote is None:
        raise Bug(f"{job.id} has no quote")
    return job.quote


def _remote(job: Job) -> Remote:
    if job.remote is None:
        raise Bug(f"{job.id} is not on the network")
    return job.remote
