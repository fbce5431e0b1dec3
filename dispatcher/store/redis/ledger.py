"""The ledger on Redis. What each script does is told in its file, `lua/ledger/<name>.lua`."""

from collections.abc import Sequence
from decimal import Decimal

import redis

from dispatcher.domain.budget import (
    Budget,
    BudgetUse,
    Scope,
    Window,
    forget_at,
    window_end,
    window_id,
    window_start,
)
from dispatcher.domain.errors import Bug, LeaseLost
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import (
    GIVING_BACK,
    Audit,
    Frozen,
    Held,
    LedgerView,
    Marker,
    Over,
    Position,
    Short,
)
from dispatcher.ports.provider import Balance
from dispatcher.store import windows
from dispatcher.store.micros import rounded_down, rounded_up, spendable, usd
from dispatcher.store.overdraft import overdraft
from dispatcher.store.redis.audits import audit_of, audit_text
from dispatcher.store.redis.database import Database, text
from dispatcher.store.windows import COUNTED, window_key


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
        frozen = overdraft(balance)
        return bool(
            self._db.run("put_balance", account, marker, *figures, repr(now), frozen, repr(GIVING_BACK))
        )

    def hold(
        self,
        account: AccountName,
        job: JobId,
        hold: HoldId,
        amount: Decimal,
        *,
        now: float,
        scopes: Sequence[Scope] = (),
        cap: Decimal | None = None,
        ahead: Sequence[tuple[JobId, Decimal]] = (),
        takes: HoldId | None = None,
        attempt: int | None = None,
    ) -> Held | Short | Over | Frozen:
        """As the port says. Raises `LeaseLost` for a job or an attempt that is settled: its end was missed."""
        current = [window_key(window, window_id(window, now)) for window in COUNTED]
        until = [repr(forget_at(window, now)) for window in COUNTED]
        bounds = (windows.SCOPES_AT_MOST, windows.FORGOTTEN_AT_ONCE)
        line = [item for other, asked in ahead for item in (other, spendable(asked))]
        most = "" if cap is None else rounded_down(cap)
        answer = self._db.run(
            *("hold", account, job, hold, spendable(amount), most, repr(now)),
            *(*current, *until, *bounds, takes or "", f"{job}:{attempt}", len(scopes), *scopes, *line),
        )
        match [text(item) for item in answer]:
            case ["held", micros]:
                return Held(usd(int(micros)))
            case ["short", micros, promised, kept]:
                return Short(usd(int(micros)), usd(int(promised)), usd(int(kept)))
            case ["over", scope, kind, limit, used]:
                window = Window(kind)
                return Over(
                    Scope(scope), window, usd(int(limit)), usd(int(used)), until=window_end(window, now)
                )
            case ["frozen", at, reason, by]:
                return Frozen(float(at), reason, by)
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

    def settle_attempt(
        self,
        account: AccountName,
        job: JobId,
        attempt: int,
        cost: Decimal,
        *,
        keep: tuple[HoldId, Decimal] | None = None,
    ) -> None:
        """As the port says. It is remembered as a settled job is."""
        name, amount = keep or ("", Decimal(0))
        self._db.run(
            "settle_attempt", account, job, f"{job}:{attempt}", spendable(cost), name, spendable(amount)
        )

    def view(self, account: AccountName) -> LedgerView:
        sums = ("assigned", "reserved", "spent", "unseen", "held", "settled")
        facts = ("balance_at", "frozen_at", "frozen_reason", "frozen_by", "audit")
        *amounts, at, frozen_at, reason, by, audit = self._db.ask(
            "HMGET", self._books(account), *sums, *facts
        )
        assigned, reserved, spent, unseen, held, settled = (usd(int(amount or 0)) for amount in amounts)
        return LedgerView(
            balance=None if at is None else Balance(assigned, reserved, spent),
            balance_at=None if at is None else float(at),
            unseen=unseen,
            held=held,
            settled=settled,
            frozen=None if frozen_at is None else Frozen(float(frozen_at), text(reason), text(by)),
            audit=audit_of(audit),
        )

    def jobs_with_holds(
        self, account: AccountName, limit: int, after: JobId | None = None
    ) -> list[tuple[JobId, Decimal]]:
        answer = [text(item) for item in self._db.run("jobs_with_holds", account, max(limit, 0), after or "")]
        pairs = zip(answer[::2], answer[1::2], strict=True)
        return [(JobId(job), usd(int(micros))) for job, micros in pairs]

    def freeze(self, account: AccountName, reason: str, *, by: str, now: float) -> None:
        self._db.run("freeze", account, repr(now), reason, by)

    def thaw(self, account: AccountName) -> None:
        self._db.ask("HDEL", self._books(account), "frozen_at", "frozen_reason", "frozen_by")

    def set_budget(self, budget: Budget, *, now: float) -> None:
        self._db.run("set_budget", "", budget.window, budget.scope, rounded_down(budget.limit), repr(now))

    def remove_budget(self, scope: Scope, window: Window) -> None:
        self._db.run("remove_budget", "", window, scope)

    def budgets(self, *, now: float) -> list[BudgetUse]:
        current = [window_key(window, window_id(window, now)) for window in COUNTED]
        answer = [text(item) for item in self._db.run("budgets", "", *current)]
        found = []
        for at in range(0, len(answer), 6):
            window, scope, limit, since, used, held = answer[at : at + 6]
            start = window_start(Window(window), now)
            budget = Budget(Scope(scope), Window(window), usd(int(limit)))
            found.append(
                BudgetUse(
                    budget,
                    since=float(since) if start is None else start,
                    until=window_end(budget.window, now),
                    used=usd(int(used)),
                    held=usd(int(held)),
                )
            )
        order = list(Window)
        return sorted(found, key=lambda use: (use.budget.scope, order.index(use.budget.window)))

    def position(self, account: AccountName) -> Position | None:
        answer = self._db.run("position", account)
        if answer is None:
            return None
        *figures, settlements, returning, open_, unshown, jobs, audit = [text(item) for item in answer]
        assigned, reserved, spent, held, unseen, settled = (usd(int(figure)) for figure in figures)
        not_shown = usd(int(open_)) + usd(int(unshown))
        return Position(
            balance=Balance(assigned, reserved, spent),
            shown=held - not_shown,
            unshown=usd(int(unshown)),
            open=usd(int(open_)),
            tails=unseen - not_shown,
            settled=settled,
            settlements=int(settlements),
            returning=usd(int(returning)),
            jobs=int(jobs),
            audit=audit_of(audit or None),
        )

    def keep_audit(self, account: AccountName, audit: Audit, *, replaces: Audit | None) -> bool:
        before = "" if replaces is None else audit_text(replaces)
        return bool(self._db.run("keep_audit", account, audit_text(audit), before))

    def _books(self, account: AccountName) -> str:
        return self._db.key("credit", account)
