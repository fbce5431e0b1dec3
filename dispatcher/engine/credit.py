"""Credit that arrives wakes the jobs that wait for it: by priority, then age, and only as many as it pays for."""

from dispatcher.domain.errors import NotSent, ProviderError, SettingsError
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.engine.money import refresh_balance
from dispatcher.engine.parts import Parts
from dispatcher.ports.store import Command

_AT_ONCE = 500


def watch_credit(parts: Parts) -> list[JobId]:
    """Look at the balance of every account that jobs wait for, and wake those that it pays for now.

    Of many workers that call this, one looks in each period. A network that does not answer wakes nobody: the
    jobs' own ladder tries again.
    """
    woken: list[JobId] = []
    for account in parts.store.waiting_accounts():
        period = parts.pace(parts.timing.credit_watch)
        if not parts.store.take_turn(f"credit:{account}", now=parts.clock.now(), period=period):
            continue
        try:
            woken.extend(_wake(parts, account))
        except NotSent as e:
            _give_back(parts, account, period, e.retry_after or 0)
    return woken


def _give_back(parts: Parts, account: AccountName, period: float, after: float) -> None:
    """Nobody looked: the next look is due when what held it back is over, not a whole period later."""
    if after < period:
        parts.store.take_turn(f"credit:{account}", now=parts.clock.now() - period + after, period=0)


def _wake(parts: Parts, account: AccountName) -> list[JobId]:
    try:
        left = refresh_balance(parts, account).available
    except NotSent:
        raise
    except (ProviderError, SettingsError):
        return []
    served: list[JobId] = []
    for waiter in parts.store.waiters(account, _AT_ONCE):
        if left is not None and waiter.short_usd <= left:
            left -= waiter.short_usd
            served.append(waiter.id)
    now = parts.clock.now()
    for job_id in served:
        parts.store.command(job_id, Command("retry", by="credit", at=now), now=now)
    return served
