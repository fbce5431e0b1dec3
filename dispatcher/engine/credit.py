"""Credit that arrives wakes the jobs that wait for it: by priority, then age, and only as many as it pays for.

Those that waited for their account to be thawed stand in the same order with those that wait for its credit.
"""

from collections.abc import Sequence

from dispatcher.domain.errors import NotSent, ProviderError, SettingsError
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.waiting import credit_line, frozen_line, served
from dispatcher.engine.money import LINE_AT_MOST, refresh_balance
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import LedgerView
from dispatcher.ports.store import Command, Waiter


def watch_credit(parts: Parts) -> list[JobId]:
    """Look at the balance of every account that jobs wait for, and wake those that it pays for now.

    Of many workers that call this, one looks in each period. A network that does not answer wakes nobody: the
    jobs' own ladder tries again. Nobody is woken for a frozen account.
    """
    woken: list[JobId] = []
    for account in parts.store.waiting_accounts():
        period = parts.pace(parts.timing.credit_watch)
        if not parts.store.take_turn(f"credit:{account}", now=parts.clock.now(), period=period):
            continue
        try:
            woken.extend(_look(parts, account))
        except NotSent as e:
            _give_back(parts, account, period, e.retry_after or 0)
    return woken


def _give_back(parts: Parts, account: AccountName, period: float, after: float) -> None:
    """Nobody looked: the next look is due when what held it back is over, not a whole period later."""
    if after < period:
        parts.store.take_turn(f"credit:{account}", now=parts.clock.now() - period + after, period=0)


def _look(parts: Parts, account: AccountName) -> list[JobId]:
    if parts.ledger.view(account).frozen is not None:
        return []
    try:
        view = refresh_balance(parts, account)
    except NotSent:
        raise
    except (ProviderError, SettingsError):
        return []
    return wake_for_credit(parts, account, view)


def wake_for_credit(parts: Parts, account: AccountName, view: LedgerView) -> list[JobId]:
    """Wake those who wait for the account, as far as its balance reaches."""
    if view.available is None or view.frozen is not None:
        return []
    waiting = [
        waiter
        for line in (credit_line(account), frozen_line(account))
        for waiter in parts.store.waiters(line, LINE_AT_MOST)
    ]
    asked = [(waiter.id, waiter.short_usd) for waiter in in_order(waiting)]
    return wake(parts, [JobId(name) for name in served(asked, view.available)], by="credit")


def in_order(waiters: Sequence[Waiter]) -> list[Waiter]:
    """Waiters of several lines as if they stood in one."""
    return sorted(waiters, key=lambda waiter: (-waiter.priority, waiter.since, waiter.id))


def wake(parts: Parts, job_ids: Sequence[JobId], *, by: str) -> list[JobId]:
    """Have the jobs try again now."""
    now = parts.clock.now()
    for job_id in job_ids:
        parts.store.command(job_id, Command("retry", by=by, at=now), now=now)
    return list(job_ids)
