"""Accounts and their credits."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dispatcher.simulator import money


@dataclass(slots=True)
class Account:
    """A customer. Amounts in thousandths of a dollar; available = assigned - reserved - settled."""

    name: str
    api_key: str
    project: str
    assigned: int
    reserved: int = 0
    settled: int = 0

    @property
    def available(self) -> int:
        """What can still be reserved; below zero after a claw-back."""
        return self.assigned - self.reserved - self.settled

    @property
    def masked_key(self) -> str:
        """Enough of the key to tell it from others, too little to use it."""
        return f"{self.api_key[:4]}...{self.api_key[-2:]}" if len(self.api_key) >= 12 else "..."

    def __repr__(self) -> str:
        return f"Account({self.name}, available {money.text(self.available)})"

    def reserve(self, amount: int) -> None:
        """Sets `amount` aside."""
        self.reserved += amount

    def settle(self, reserved: int, used: int) -> None:
        """Ends a reservation: `used` of it is spent, the rest is free again."""
        self.reserved -= reserved
        self.settled += used

    def balance(self) -> dict[str, float | int]:
        """As `credits.balance` gives it, in US dollars."""
        return {
            "assignedCredits": money.wire(self.assigned),
            "reservedCredits": money.wire(self.reserved),
            "settledCredits": money.wire(self.settled),
        }


class Accounts:
    """All accounts, by key and by name (`account-1`, `account-2`, ... in the order given)."""

    def __init__(self, credits_by_key: Mapping[str, money.Dollars], projects: Iterable[str]) -> None:
        self._all = [
            Account(f"account-{number}", key, project, money.thousandths(credit))
            for number, ((key, credit), project) in enumerate(
                zip(credits_by_key.items(), projects, strict=False), start=1
            )
        ]
        self._by_key = {account.api_key: account for account in self._all}
        self._by_name = {account.name: account for account in self._all}

    def __iter__(self) -> Iterator[Account]:
        return iter(self._all)

    def of_key(self, api_key: str | None) -> Account | None:
        """The account of an API key."""
        return self._by_key.get(api_key) if api_key else None

    def find(self, key_or_name: str) -> Account | None:
        """The account of an API key or of a name."""
        return self._by_key.get(key_or_name) or self._by_name.get(key_or_name)
