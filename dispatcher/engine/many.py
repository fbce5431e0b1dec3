"""Many jobs at once: found by account, labels and reason; added up; stopped."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Final

from dispatcher.domain.bounds import costs
from dispatcher.domain.costs import ZERO
from dispatcher.domain.errors import UnreadableRecord
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.words import FollowUp, Reason, State
from dispatcher.engine.bell import ring
from dispatcher.engine.parts import Parts
from dispatcher.ports.dead import Listed
from dispatcher.ports.store import Command, Exposure, JobStore

_PAGE: Final = 500
"""Records that are read in one round trip."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which jobs are meant: those of the account, with all these labels, there for one of these reasons. What is
    left out chooses every job."""

    account: AccountName | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    reasons: Collection[Reason] = ()

    @property
    def is_everything(self) -> bool:
        return self.account is None and not self.labels and not self.reasons

    def takes(self, job: Job) -> bool:
        spec = job.spec
        return (
            (self.account is None or job.account == self.account)
            and all(spec.labels.get(name) == value for name, value in self.labels.items())
            and (not self.reasons or job.reason in self.reasons)
        )


def list_chosen(
    store: JobStore, choice: Choice, *, states: Sequence[State] = (), limit: int, offset: int = 0
) -> list[Listed]:
    """Chosen jobs, the newest first; `offset` counts chosen ones. Without a choice, one round trip."""
    if choice.is_everything:
        return store.listing(states=states, limit=limit, offset=offset)
    chosen = (each for each in _newest(store, states) if each.job is not None and choice.takes(each.job))
    return list(islice(chosen, offset, offset + limit))


def exposure_of(parts: Parts, choice: Choice) -> Exposure:
    """What the chosen jobs that are not over can still cost. By account alone no record is read."""
    if choice.labels or choice.reasons:
        return _sum([_exposed(job) for job in _live(parts.store, choice)])
    accounts = parts.store.exposed_accounts() if choice.account is None else [choice.account]
    return _sum([parts.store.exposure(account) for account in accounts])


def stop_chosen(parts: Parts, choice: Choice, *, by: str) -> int:
    """Ask every chosen job that is not over to stop; how many were asked.

    The answer of the store decides who that is, at one moment: jobs that are enqueued meanwhile are not asked. To
    stop everything, no record is read, so that one that cannot be read is stopped like the others.
    """
    store = parts.store
    chosen = store.live_ids() if choice.is_everything else [job.id for job in _live(store, choice)]
    now = parts.clock.now()
    asked = store.command_many(chosen, Command("stop", by=by, at=now), now=now)
    ring(parts.waker, FollowUp.STOP, chosen)
    return asked


def _newest(store: JobStore, states: Sequence[State]) -> Iterator[Listed]:
    """Page by page; a job that another page brought already, because newer ones came, is left out."""
    known: set[JobId] = set()
    offset = 0
    while page := store.listing(states=states, limit=_PAGE, offset=offset):
        yield from (job for job in page if job.id not in known)
        known.update(job.id for job in page)
        offset += _PAGE


def _readable(store: JobStore, job_ids: Sequence[JobId]) -> Iterator[Job | None]:
    """What cannot be read has no account and no labels that one could choose it by."""
    try:
        yield from store.load_many(job_ids)
    except UnreadableRecord:
        for job_id in job_ids:
            with suppress(UnreadableRecord):
                yield store.load(job_id)


def _live(store: JobStore, choice: Choice) -> Iterator[Job]:
    ids = store.live_ids()
    for start in range(0, len(ids), _PAGE):
        for job in _readable(store, ids[start : start + _PAGE]):
            if job is not None and not job.state.is_final and choice.takes(job):
                yield job


def _exposed(job: Job) -> Exposure:
    found = costs(job, job.updated_at)
    return Exposure(1, found.committed, found.allowed or ZERO, 1 if found.allowed is None else 0)


def _sum(parts: Sequence[Exposure]) -> Exposure:
    return Exposure(
        jobs=sum(part.jobs for part in parts),
        committed=sum((part.committed for part in parts), Decimal(0)),
        allowed=sum((part.allowed for part in parts), Decimal(0)),
        unlimited=sum(part.unlimited for part in parts),
    )
