"""An account is frozen and thawed by a person; a balance below zero freezes it too (`ports.ledger`)."""

from dispatcher.domain.errors import NotPossible
from dispatcher.domain.ids import AccountName
from dispatcher.domain.money import format_usd
from dispatcher.engine.alarm import report_freeze
from dispatcher.engine.credit import wake_for_credit
from dispatcher.engine.money import refresh_balance
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import Frozen, LedgerView

_REASON_AT_MOST = 200


def freeze(parts: Parts, account: AccountName, reason: str, *, by: str) -> Frozen:
    """Hold nothing more for the account: what is posted goes on, and is stopped as before. One that is frozen already
    keeps its reason. Raises `SettingsError` for an account that the settings do not name."""
    parts.providers.account(account)
    said = " ".join(reason.split())[:_REASON_AT_MOST] or "by hand"
    parts.ledger.freeze(account, said, by=by, now=parts.clock.now())
    view = parts.ledger.view(account)
    report_freeze(parts, account, view)
    return view.frozen or Frozen(parts.clock.now(), said, by)


def thaw(parts: Parts, account: AccountName) -> LedgerView:
    """Let the account spend again, if the network's balance is not below zero, and wake those who wait, as many as
    it pays for. An account that is not frozen stays as it is.

    Raises `NotPossible` if the balance is below zero, `ProviderError`, `SettingsError` if it cannot be had.
    """
    balance = refresh_balance(parts, account).balance
    if balance is not None and balance.available < 0:
        raise NotPossible(
            f"account {account} cannot be thawed: the network's balance is ${format_usd(balance.available)}. "
            "Ask the network why credit was taken back, add credit until it is not below zero, and thaw again"
        )
    parts.ledger.thaw(account)
    view = parts.ledger.view(account)
    wake_for_credit(parts, account, view)
    return view
