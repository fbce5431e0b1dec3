"""What may be spent, from your own application: budgets, frozen accounts, audited books.

`dispatcher.client` has these functions too. Amounts in answers are texts of US dollars, times ISO 8601 in UTC.
"""

import getpass
from typing import Any

from dispatcher.domain.budget import BudgetUse, parse_budget, parse_scope, parse_window
from dispatcher.domain.ids import AccountName
from dispatcher.domain.money import format_usd
from dispatcher.domain.view import timestamp
from dispatcher.engine import budgets as budgets_
from dispatcher.engine import freezing
from dispatcher.engine.alarm import running_jobs
from dispatcher.engine.books import Books, audit_books
from dispatcher.engine.parts import Parts
from dispatcher.library import parts
from dispatcher.ports.ledger import Frozen, LedgerView


def set_budget(scope: str, limit: object) -> dict[str, Any]:
    """Allow at most `limit` (`50/day`, `200/month`; `5` in total, counted from now) for `account:NAME`, `label:NAME`
    or `label:NAME=VALUE`. Days and months are UTC's. A budget of the same scope and window gets the new limit; a
    total that is changed keeps its count. The answer is as in `budgets`.

    Raises `InvalidRequest` (every fault; nothing stored).
    """
    return _use(budgets_.set_budget(parts(), parse_budget(scope, limit)))


def budgets() -> list[dict[str, Any]]:
    """All budgets: `scope`, `window` (`day`, `month`, `total`), `limit_usd`, `used_usd`, of that `held_usd` for jobs
    that are not over, `left_usd`, and from when (`since`) to when (`until`, None for a total) the use is counted."""
    found = parts()
    return [_use(use) for use in found.ledger.budgets(now=found.clock.now())]


def remove_budget(scope: str, window: str | None = None) -> dict[str, Any]:
    """Remove the scope's budget for `window` (`/day`, `month`, `50/day`), or its only one; the answer has its `scope`,
    `window` and `limit_usd`. Raises `InvalidRequest`, and `NotPossible` if there is none or several."""
    meant = None if window is None else parse_window(window)
    removed = budgets_.remove_budget(parts(), parse_scope(scope), meant)
    limit = format_usd(removed.limit)
    return {"scope": removed.scope, "window": removed.window.value, "limit_usd": limit}


def freeze_account(account: str = "default", reason: str = "", *, by: str | None = None) -> dict[str, Any]:
    """Post and extend nothing more for the account; what runs goes on, and is stopped as before. The answer has `at`,
    `reason` and `by`, those of the first freeze if it is frozen already, and the jobs that run on."""
    found, name = parts(), AccountName(account)
    return _frozen(found, name, freezing.freeze(found, name, reason, by=by or user()))


def thaw_account(account: str = "default") -> dict[str, Any]:
    """Let the account spend again: `account`, `available_usd`. Raises `NotPossible` while the network's balance is
    below zero, `ProviderError` if it cannot be had, `SettingsError`."""
    seen = freezing.thaw(parts(), AccountName(account))
    available = None if seen.available is None else format_usd(seen.available)
    return {"account": account, "available_usd": available}


def audit_account(account: str = "default", *, accept: bool = False) -> dict[str, Any]:
    """Compare the network's books with ours now: `network_usd`, `known_usd`, `drift_usd`, `drift_detail`. `accept`:
    what is different now is right, and no drift. Raises `ProviderError`, `SettingsError`."""
    found: Books = audit_books(parts(), AccountName(account), accept=accept)
    return {
        "account": account,
        "at": timestamp(found.at),
        "network_usd": format_usd(found.network),
        "known_usd": format_usd(found.ours),
        "drift_usd": format_usd(found.drift),
        "drift_detail": found.detail,
        "balanced": found.balanced,
    }


def standing(found: Parts, account: AccountName, seen: LedgerView) -> dict[str, Any]:
    """What `balance` says beside the amounts: whether the account is frozen, and what the last audit found."""
    audit = seen.audit
    return {
        "frozen": None if seen.frozen is None else _frozen(found, account, seen.frozen),
        "drift_usd": None if audit is None else format_usd(audit.drift),
        "drift_detail": None if audit is None else audit.detail,
        "audited_at": None if audit is None else timestamp(audit.at),
    }


def user() -> str:
    """Who runs this process, for the record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def _use(use: BudgetUse) -> dict[str, Any]:
    return {
        "scope": use.budget.scope,
        "window": use.budget.window.value,
        "limit_usd": format_usd(use.budget.limit),
        "used_usd": format_usd(use.used),
        "held_usd": format_usd(use.held),
        "left_usd": format_usd(use.left),
        "since": timestamp(use.since),
        "until": timestamp(use.until),
    }


def _frozen(found: Parts, account: AccountName, frozen: Frozen) -> dict[str, Any]:
    running = running_jobs(found, account)
    return {
        "at": timestamp(frozen.at),
        "reason": frozen.reason,
        "by": frozen.by,
        "running_jobs": running.count,
        "running_job_ids": list(running.ids),
    }
