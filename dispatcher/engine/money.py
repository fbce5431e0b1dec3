"""Credit is held before it is spent, against a balance that is fresh enough."""

from decimal import ROUND_CEILING, Decimal
from typing import Final

from dispatcher.domain.errors import NotSent, ProviderError, SettingsError
from dispatcher.domain.ids import AccountName, HoldId
from dispatcher.domain.job import Job
from dispatcher.domain.money import MICRO, THOUSANDTH
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import Held, LedgerView, Short

_LARGEST: Final = Decimal(10**9)
"""US dollars: more cannot be written down (`domain.money`)."""


def refresh_balance(parts: Parts, account: AccountName) -> LedgerView:
    """Ask the network for the balance and note it. Raises `ProviderError`, `SettingsError`."""
    provider = parts.providers.account(account)
    marker = parts.ledger.marker(account)
    balance = provider.balance()
    parts.ledger.put_balance(account, marker, balance, now=parts.clock.now())
    return parts.ledger.view(account)


def hold(
    parts: Parts, job: Job, hold_id: HoldId, amount: Decimal, *, even_if_old: bool = False
) -> Held | Short:
    """Set `amount` aside for `job`. A shortage is only believed of a fresh balance.

    `even_if_old`: if the question for the balance is held back, cover that the last known one shows will do. The
    network itself refuses what the credits do not pay for; an extension that comes too late loses the job.

    Raises `ProviderError`, `SettingsError` if the balance cannot be had.
    """
    account = job.spec.account
    view = parts.ledger.view(account)
    oldest = parts.clock.now() - parts.pace(parts.timing.balance)
    fresh = view.balance_at is not None and view.balance_at >= oldest
    if fresh:
        held = _hold(parts, job, hold_id, amount)
        if isinstance(held, Held):
            return held
    try:
        refresh_balance(parts, account)
    except NotSent:
        if not even_if_old or view.balance is None:
            raise
        from_old = _hold(parts, job, hold_id, amount)
        if isinstance(from_old, Short):
            raise
        return from_old
    return _hold(parts, job, hold_id, amount)


def _hold(parts: Parts, job: Job, hold_id: HoldId, amount: Decimal) -> Held | Short:
    account = job.spec.account
    held = parts.ledger.hold(account, job.id, hold_id, amount)
    if isinstance(held, Held) and held.amount < amount:
        # Left behind by a worker that died before it could save what this was for, which was something smaller.
        parts.ledger.void(account, hold_id)
        held = parts.ledger.hold(account, job.id, hold_id, amount)
    return held


def missing(parts: Parts, account: AccountName, named: Decimal | None, amount: Decimal) -> Decimal:
    """What has to be available before a call of `amount` that the network refused for want of credit is worth
    another try: what the network `named`, but more than its balance shows, since that much did not do."""
    needed = amount
    if named is not None and 0 < named <= _LARGEST:
        needed = named.quantize(MICRO, ROUND_CEILING)
    try:
        shown = refresh_balance(parts, account).available
    except (ProviderError, SettingsError):
        return needed
    return needed if shown is None or shown < needed else min(shown + THOUSANDTH, _LARGEST)
