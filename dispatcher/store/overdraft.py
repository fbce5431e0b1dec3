"""A balance below zero: every ledger freezes the account for the same reason, in the same words."""

from dispatcher.domain.money import format_usd
from dispatcher.ports.provider import Balance


def overdraft(balance: Balance) -> str:
    """Why an account with this balance is frozen; empty if it is not."""
    if balance.available >= 0:
        return ""
    return f"the network's balance is ${format_usd(balance.available)}: credit was clawed back"
