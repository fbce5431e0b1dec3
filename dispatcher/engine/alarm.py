"""What a frozen account means for its jobs, told once: to people in the log, and to each job that waits."""

from dataclasses import dataclass
from typing import Final

import structlog

from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.money import format_usd
from dispatcher.domain.view import timestamp
from dispatcher.domain.words import State
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import Frozen, LedgerView

_log = structlog.get_logger(__name__)

_NAMED: Final = 50
"""Jobs that are named."""

_CHUNK: Final = 500
_LOOKED_AT: Final = 20_000
"""Jobs that are looked at to count those of one account."""

_PAID_FOR: Final = (State.POSTING, State.QUEUED, State.RUNNING, State.STOPPING)


@dataclass(frozen=True, slots=True)
class RunningJobs:
    """An account's jobs that are on the network, or may be: how many, and the ids of some, the newest first."""

    count: int
    ids: tuple[JobId, ...]


def running_jobs(parts: Parts, account: AccountName) -> RunningJobs:
    """Those that go on and cost money while nothing new is begun."""
    count, ids = 0, list[JobId]()
    for offset in range(0, _LOOKED_AT, _CHUNK):
        jobs = parts.store.list_jobs(states=_PAID_FOR, limit=_CHUNK, offset=offset)
        mine = [job.id for job in jobs if job.account == account]
        count += len(mine)
        ids += mine[: _NAMED - len(ids)]
        if len(jobs) < _CHUNK:
            break
    return RunningJobs(count, tuple(ids))


def report_freeze(parts: Parts, account: AccountName, view: LedgerView) -> None:
    """Log that the account is frozen, once for each time that it was."""
    frozen = view.frozen
    if frozen is None or not parts.store.take_turn(f"frozen:{account}", now=frozen.at, period=0.001):
        return
    running = running_jobs(parts, account)
    # A person who froze it knows.
    log = _log.error if frozen.by == "balance" else _log.warning
    log(
        "account_frozen",
        account=account,
        reason=frozen.reason,
        by=frozen.by,
        balance_usd=None if view.balance is None else format_usd(view.balance.available),
        running_jobs=running.count,
        running_job_ids=list(running.ids),
    )


def frozen_detail(account: AccountName, frozen: Frozen) -> str:
    """Why a job of a frozen account waits, and what would end that."""
    since = f"account {account} is frozen since {timestamp(frozen.at)} ({frozen.reason})"
    return f"{since}: `dispatcher account thaw {account}` lets it spend again"
