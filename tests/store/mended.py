"""Short words for the tests of what is mended."""

from dispatcher.domain.ids import JobId
from dispatcher.domain.words import FollowUp
from dispatcher.ports.mending import Checked
from dispatcher.ports.mending import Damage as Found
from dispatcher.ports.store import JobStore, Next
from tests.store.records import (
    DAY,
    T0,
    added,
    claimed,
    ended,
    in_store,
)

GRACE = 100.0
NOW = T0 + 10_000


def mend(store: JobStore, *ids: JobId, now: float = NOW) -> list[Checked]:
    return store.mend(ids, now=now, grace=GRACE)


def mended(store: JobStore, job: JobId, now: float = NOW) -> tuple[Found, ...]:
    """What was found wrong with the job; a second look then finds nothing."""
    (checked,) = mend(store, job, now=now)
    (again,) = mend(store, job, now=now)
    assert again.damages == ()
    return checked.damages


def told(store: JobStore, job: JobId, now: float = NOW) -> str:
    """The word that the job's worker finds."""
    claim = claimed(store, job, now)
    (command,) = claim.commands
    assert (command.kind, command.by, command.at) == ("mended", "reconcile", now)
    assert store.release(
        claim, claim.job, [], now=now, due=Next(now + 5, FollowUp.POLL), retention=DAY, taken=1
    )
    return command.detail


def wait_at(store: JobStore, number: int = 1, at: float = NOW + 3600) -> JobId:
    """A job that somebody released, due at `at`."""
    job = added(store, number)
    claim = claimed(store, job.id)
    assert store.release(claim, job, [], now=T0, due=Next(at, FollowUp.POLL), retention=DAY)
    return job.id


def closed(store: JobStore, number: int = 1, at: float = T0) -> JobId:
    """A job that is over, as it should be."""
    job = added(store, number, at=at)
    in_store(store, job.id, ended(at), at)
    return job.id
