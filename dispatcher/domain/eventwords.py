"""One event in words, as people read a log: what happened, and who wanted it."""

from typing import Any

from dispatcher.domain import events as ev
from dispatcher.domain.duration import format_duration
from dispatcher.domain.money import format_usd
from dispatcher.domain.view import timestamp
from dispatcher.domain.words import Phase

_OURS = {"at", "kind", "rule", "policy", "by"}


def who(event: ev.Event) -> str | None:
    """Who or what asked for it; None for what nobody asked for."""
    return getattr(event, "by", None) or None


def in_words(event: ev.Event) -> str:
    """What happened, beside the event's own name; one line. A kind that has no words of its own tells its fields."""
    match event:
        case ev.Enqueued():
            return f"on {event.spec.market} for {format_duration(event.spec.timeout)}, account {event.spec.account}"
        case ev.Waited():
            short = "" if event.short_usd is None else f" (${format_usd(event.short_usd)})"
            held = "" if event.sent else ", not asked"
            return f"{event.reason.value}{short}{held}: {event.detail}" + _again(event.retry_at)
        case ev.CreditHeld():
            quote = event.quote
            return (
                f"${format_usd(quote.amount)} for {format_duration(quote.seconds)} "
                f"at ${format_usd(quote.rate_per_hour)} an hour"
            )
        case ev.Pinned():
            return "known already" if event.known else ""
        case ev.CallIntended():
            call = event.call
            time = f" of {format_duration(call.seconds)}" if call.seconds else ""
            cost = f", ${format_usd(call.amount)} held" if call.amount else ""
            return f"{call.operation.value} {call.ordinal}{time}{cost}, key {call.key}"
        case ev.CallUndecided():
            sent = "no usable answer" if event.sent else "held back"
            doubt = "; it is looked for" if event.doubtful else _again(event.retry_at)
            return f"{event.operation.value}: {sent}: {event.error}{doubt}"
        case ev.CallExpired():
            return (
                f"{event.operation.value}: surely not done, the next key is {event.next_key}: {event.error}"
            )
        case ev.CallUndone():
            return f"{event.operation.value}: surely without effect: {event.error}{_again(event.retry_at)}"
        case ev.CallRefused() | ev.CallShort():
            return f"{event.operation.value}: {event.error}"
        case ev.CallNotFound():
            return f"{event.operation.value} did not land"
        case ev.CallUnresolved():
            return event.detail
        case ev.Posted() | ev.PostFound():
            return f"at {event.address}, {format_duration(event.seconds)} for ${format_usd(event.amount)}"
        case ev.Extended():
            if not event.landed:
                return "it was over already, nothing was paid"
            return f"{format_duration(event.seconds)} more for ${format_usd(event.amount)}"
        case ev.StopConfirmed():
            return event.outcome
        case ev.Observed():
            return _seen(event)
        case ev.StopOrdered():
            return event.reason.value
        case ev.ExtendOrdered():
            return f"{format_duration(event.seconds)} more"
        case ev.ExtendDropped():
            return f"{format_duration(event.seconds)} more cannot be had: {event.detail}"
        case ev.Mended():
            return event.what
        case ev.Adopted():
            return f"goes on at {event.address} instead of {event.instead_of}"
        case ev.PoliciesChanged():
            return ", ".join(event.changed)
        case ev.AttemptEnded():
            return (
                f"attempt {event.attempt}: {event.state.value} ({event.reason.value}), "
                f"${format_usd(event.settled)}; another one: {event.why}{_again(event.retry_at)}"
            )
        case ev.Ended():
            detail = f": {event.ending.detail}" if event.ending.detail else ""
            return f"{event.state.value} ({event.reason.value}), ${format_usd(event.settled)}{detail}"
        case _:
            return _fields(event)


def _again(at: float | None) -> str:
    return "" if at is None else f"; again at {timestamp(at)}"


def _seen(event: ev.Observed) -> str:
    said = [event.phase.value]
    if event.phase is Phase.RUNNING and event.started_at is not None:
        said.append(f"until {timestamp(event.started_at + event.timeout)} on {event.node}")
    if event.ended_at is not None:
        said.append(f"ended at {timestamp(event.ended_at)}")
    if event.result_cid is not None:
        said.append(f"result {event.result_cid}")
    return ", ".join(said)


def _fields(event: ev.Event) -> str:
    fields: dict[str, Any] = event.model_dump(mode="json", exclude_none=True, exclude=_OURS)
    return ", ".join(f"{name} {value}" for name, value in fields.items() if value not in ("", [], {}))
