"""Plan a request before it is paid: the network's price and balance of now, and the rules that will decide."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from dispatcher.domain.duration import parse_duration
from dispatcher.domain.errors import NotFound, Refused, SettingsError
from dispatcher.domain.ids import AccountName
from dispatcher.domain.money import parse_rate
from dispatcher.domain.planned import Planned, plan_request
from dispatcher.domain.request import JobRequest, JobSpec, parse_many
from dispatcher.engine.fitting import shows_output
from dispatcher.engine.parts import Parts
from dispatcher.engine.placing import usable
from dispatcher.library import parts as _parts
from dispatcher.ops.clock import WallClock
from dispatcher.settings import policy_sets as _sets


def plan(
    request: JobRequest | Mapping[str, Any],
    *,
    runs_for: str | timedelta | None = None,
    queued_for: str | timedelta = "1m",
    exit_code: int = 0,
    rate_per_hour: str | Decimal | None = None,
) -> Planned:
    """What will happen to `request`, and what it costs, by the rules that will decide. Nothing is stored or spent.

    `runs_for`: how long the job works (default: as long as it is allowed), and `exit_code` with which it ends then,
    in each attempt; `rate_per_hour`: US dollars with the fee; without it the network is asked for the prices of all its
    markets and the balance. A set of policies that the request names
    is read from the settings. Raises `InvalidRequest`, and without `rate_per_hour` `ProviderError`, `SettingsError`.
    """
    (parsed,) = parse_many([request])
    if parsed.policy is not None:
        parsed = parsed.with_set(_sets())
    seconds = None if runs_for is None else parse_duration(runs_for).total_seconds()
    queued = parse_duration(queued_for).total_seconds()
    if rate_per_hour is not None:
        rate = parse_rate(rate_per_hour)
        return plan_request(
            parsed.spec(),
            rate,
            WallClock().now(),
            runs_for=seconds,
            queued_for=queued,
            exit_code=exit_code,
        )
    parts = _parts()
    provider = parts.providers.account(parsed.account)
    return plan_request(
        parsed.spec(),
        _rate(parts, parsed.account, parsed.market),
        parts.clock.now(),
        runs_for=seconds,
        queued_for=queued,
        exit_code=exit_code,
        rates=_rates(parts, parsed.spec()),
        available=provider.balance().available,
        budgets=parts.ledger.budgets(now=parts.clock.now()),
        shows_output=partial(shows_output, parts),
    )


def _rates(parts: Parts, spec: JobSpec) -> dict[str, Decimal | None]:
    """What the markets of further attempts ask now; None for those that would be passed over."""
    found: dict[str, Decimal | None] = {}
    for place in spec.places()[1:]:
        try:
            found[place.market] = _rate(parts, place.account or spec.account, place.market)
        except (NotFound, Refused, SettingsError):
            found[place.market] = None
    return found


def _rate(parts: Parts, account: AccountName, market: str) -> Decimal | None:
    now, at_most = parts.clock.now(), parts.pace(parts.timing.markets)
    return usable(parts.markets.get(parts.providers, account, market, now=now, at_most=at_most).rate_per_hour)
