"""Sets the credits for an attempt's first posting aside: at its place, if that is to be had for what may be paid."""

from decimal import Decimal

from dispatcher.domain import events as ev
from dispatcher.domain.costs import first_seconds, why_unpostable
from dispatcher.domain.errors import NotFound, ProviderError, Refused, SettingsError
from dispatcher.domain.job import Job, Quote
from dispatcher.domain.money import format_usd, price_at_most
from dispatcher.domain.outcome import Outcome
from dispatcher.domain.placing import passed_over, too_dear
from dispatcher.domain.retrying import ended
from dispatcher.domain.words import Operation, Reason, State
from dispatcher.engine.attempts import free_kept_elsewhere
from dispatcher.engine.keys import hold_name
from dispatcher.engine.money import hold, not_held
from dispatcher.engine.parts import Parts
from dispatcher.engine.waiting import waited
from dispatcher.ports.ledger import Held, kept_name
from dispatcher.ports.provider import Market

DEAREST = Decimal(10_000)
"""US dollars. No machine costs so much an hour: a price beyond it is a fault of the network's."""


def usable(hourly: Decimal | None) -> Decimal | None:
    """The price of an hour, or None for one that cannot be meant."""
    return hourly if hourly is not None and 0 < hourly <= DEAREST else None


def hold_credit(parts: Parts, job: Job) -> ev.Event:
    """Ask the price at the attempt's place, and hold; or pass the place over, or wait, or end."""
    now = parts.clock.now()
    if len(job.spec.places()) > 1 and job.account not in parts.providers.names():
        detail = f"account {job.account} is not in the settings"
        return _passed(parts, job, Reason.REFUSED, detail, awaited=True)
    try:
        market = parts.markets.get(
            parts.providers,
            job.account,
            job.market,
            now=now,
            at_most=parts.pace(parts.timing.markets),
        )
    except (NotFound, Refused) as e:
        return _passed(parts, job, Reason.REFUSED, str(e))
    except (ProviderError, SettingsError) as e:
        return waited(parts.clock.now(), Reason.AWAITING_NETWORK, e)
    hourly = usable(market.rate_per_hour)
    if hourly is None:
        detail = f"market {market.slug} shows no usable price, so no cost can be held: choose another market"
        return _passed(parts, job, Reason.NO_PRICE, detail)
    if (dear := too_dear(job, hourly)) is not None:
        return _passed(parts, job, Reason.TOO_DEAR, dear, awaited=True)
    seconds = first_seconds(job.spec, hourly, now, job.spend.earlier)
    if seconds == 0:
        detail = (
            f"its policies do not allow the shortest posting of 1m, which costs "
            f"${format_usd(price_at_most(hourly, 60))} on market {market.slug}"
        )
        return _passed(parts, job, why_unpostable(job.spec), detail)
    return _hold_quote(parts, job, market, hourly, seconds)


def _passed(parts: Parts, job: Job, reason: Reason, detail: str, *, awaited: bool = False) -> ev.Event:
    now = parts.clock.now()
    passed = passed_over(job, reason, detail, now, awaited=awaited)
    if job.lost_hold is not None:
        # Of a post that did not land, which is saved by now; the next place may be paid from another account.
        parts.ledger.void(job.account, job.lost_hold)
    return passed or ended(job, Outcome(State.REJECTED, reason, detail=detail), now)


def _hold_quote(parts: Parts, job: Job, market: Market, hourly: Decimal, seconds: int) -> ev.Event:
    amount = price_at_most(hourly, seconds)
    if job.lost_hold is not None:
        # That post did not land. Nothing is held for it any more, which is told only now that this is saved.
        parts.ledger.void(job.account, job.lost_hold)
    free_kept_elsewhere(parts, job)
    quote = Quote(
        market=market.address,
        rate_per_hour=hourly,
        fee_percent=market.fee_percent,
        seconds=seconds,
        amount=amount,
        hold=hold_name(job.id, Operation.POST, job.posts + 1),
    )
    takes = kept_name(job.id) if job.earlier else None
    try:
        held = hold(parts, job, quote.hold, amount, in_line=True, takes=takes)
    except (ProviderError, SettingsError) as e:
        return waited(parts.clock.now(), Reason.AWAITING_NETWORK, e)
    if not isinstance(held, Held):
        return not_held(parts, job, held, amount, "")
    return ev.CreditHeld(at=parts.clock.now(), quote=quote)
