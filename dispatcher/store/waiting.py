"""Who waits for credit, and in which order they are served: read off the record, the same for every store."""

from dataclasses import dataclass
from decimal import Decimal

from dispatcher.domain.ids import AccountName
from dispatcher.domain.job import Job, Reason

_PRIORITY_WEIGHT = 2.0**34
"""Seconds; more than any unix time (until the year 2514), so that a priority outweighs every wait. With
priorities of -100 to 100 a double still tells waits apart that began half a millisecond after each other."""


@dataclass(frozen=True, slots=True)
class CreditWait:
    """A job waits for the account's credit. The lowest `rank` is served first."""

    account: AccountName
    rank: float
    short_usd: Decimal


def credit_wait(job: Job) -> CreditWait | None:
    """None for a job that does not wait for credit."""
    wait = job.wait
    if wait is None or wait.reason is not Reason.AWAITING_CREDIT or job.state.is_final:
        return None
    return CreditWait(
        account=job.spec.account,
        rank=wait.since - job.spec.priority * _PRIORITY_WEIGHT,
        short_usd=wait.short_usd if wait.short_usd is not None else Decimal(0),
    )
