"""The ledger on Redis. What each script does is told in its file, `lua/ledger/<name>.lua`."""

from decimal import Decimal

import redis

from dispatcher.domain.errors import Bug, LeaseLost
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import Held, LedgerView, Marker, Short
from dispatcher.ports.provider import Balance
from dispatcher.store.micros import rounded_down, rounded_up, spendable, usd
from dispatcher.store.redis.database import Database, text


class RedisLedger:
    """A `Ledger` on one server. Threads may share it. It remembers the last 100,000 settled jobs of an account."""

    def __init__(self, client: redis.Redis, prefix: str = "dispatcher") -> None:
        self._db = Database(client, "ledger", prefix)

    def marker(self, account: AccountName) -> Marker:
        return Marker(self._db.ask("HINCRBY", self._books(account), "marker", 1))

    def put_balance(self, account: AccountName, marker: Marker, balance: Balance, *, now: float) -> bool:
        figures = (
            rounded_down(balance.assigned),
            rounded_up(balance.reserved),
            rounded_up(balance.settled),
        )
        return bool(self._db.run("put_balance", account, marker, *figures, repr(now)))

    def hold(self, account: AccountName, job: JobId, hold: HoldId, amount: Decimal) -> Held | Short:
        """As the port says. Raises `LeaseLost` for a job that is settled: whoever asks has missed its end."""
        answer = self._db.run("hold", account, job, hold, spendable(amount))
        match [text(item) for item in answer]:
            case ["held", micros]:
                return Held(usd(int(micros)))
            case ["short", micros]:
                return Short(usd(int(micros)))
            case ["settled"]:
                raise LeaseLost(job)
            case _:
                raise Bug(f"no balance of account {account} was ever put")

    def confirm(self, account: AccountName, hold: HoldId, amount: Decimal) -> None:
        """As the port says. Holds that are unknown, or confirmed already, stay as they are."""
        self._db.run("confirm", account, hold, spendable(amount))

    def void(self, account: AccountName, hold: HoldId) -> None:
        """As the port says. A hold that the network confirmed cannot be voided: it stays."""
        self._db.run("void", account, hold)

    def settle(self, account: AccountName, job: JobId, cost: Decimal) -> None:
        """As the port says. What the network reserved and no balance shows yet stays unseen until one does."""
        self._db.run("settle", account, job, spendable(cost))

    def jobs_with_holds(
        self, account: AccountName, limit: int, after: JobId | None = None
    ) -> list[tuple[JobId, Decimal]]:
        words = [text(word) for word in self._db.run("jobs_with_holds", account, max(limit, 0), after or "")]
        return [(JobId(job), usd(int(micros))) for job, micros in zip(words[::2], words[1::2], strict=True)]

    def view(self, account: AccountName) -> LedgerView:
        fields = ("assigned", "reserved", "spent", "unseen", "held", "settled")
        *amounts, at = self._db.ask("HMGET", self._books(account), *fields, "balance_at")
        assigned, reserved, spent, unseen, held, settled = (usd(int(amount or 0)) for amount in amounts)
        if at is None:
            return LedgerView(None, None, unseen, held, settled)
        return LedgerView(Balance(assigned, reserved, spent), float(at), unseen, held, settled)

    def _books(self, account: AccountName) -> str:
        return self._db.key("credit", account)
