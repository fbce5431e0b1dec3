"""Credit is held before it is spent, against a balance that is fresh enough."""

from decimal import Decimal

from dispatcher.domain.ids import AccountName, HoldId
from dispatcher.domain.job import Job
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import Held, LedgerView, Short


def refresh_balance(parts: Parts, account: AccountName) -> LedgerView:
    """Ask the network for the balance and note it. Raises `ProviderError`, `SettingsError`."""
    provider = parts.providers.account(account)
    marker = parts.ledger.marker(account)
    balance = provider.balance()
    parts.ledger.put_balance(account, marker, balance, now=parts.clock.now())
    return parts.ledger.view(account)


def hold(parts: Parts, job: Job, hold_id: HoldId, amount: Decimal) -> Held | Short:
    """Set `amount` aside for `job`. A shortage is only believed of a fresh balance.

    Raises `ProviderError` if the balance cannot be had.
    """
    account = job.spec.account
    view = parts.ledger.view(account)
    oldest = parts.clock.now() - parts.pace(parts.timing.balance)
    fresh = view.balance_at is not None and view.balance_at >= oldest
    if fresh:
        held = parts.ledger.hold(account, job.id, hold_id, amount)
        if isinstance(held, Held):
            return held
    refresh_balance(parts, account)
    return parts.ledger.hold(account, job.id, hold_id, amount)
