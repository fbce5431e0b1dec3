"""What a job on the network is, that no record has: somebody else's, one to be waited for, or one to be stopped.

Pure. A stop cannot be taken back, so whoever may still be on the way to a record gets time: an answer that is late,
an index that lags behind, a definition that another job has with the same bytes.
"""

from dataclasses import dataclass
from enum import StrEnum

from dispatcher.domain.cid import Cid
from dispatcher.domain.definition.stamp import Stamp
from dispatcher.domain.fitting import accounts_of
from dispatcher.domain.ids import AccountName, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.words import State

PATIENCE = 120.0
"""Seconds after its listing, and after the end of the job whose stamp it bears, in which nothing is decided."""

DEFINITION_PATIENCE = 3600.0
"""Seconds after its listing in which a record without its definition is looked at again: it is filled in from IPFS."""


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A live job on the network whose address no live job has. `defined`: its record shows its definition."""

    address: RemoteAddress
    account: AccountName
    cid: Cid | None
    listed_at: float | None
    stamp: Stamp | None
    defined: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """The one that the job's record names, as the network shows it."""

    alive: bool
    listed_at: float | None


class Verdict(StrEnum):
    """What is done about it."""

    FOREIGN = "foreign"  # nothing: it is not ours
    SUSPECTED = "suspected"  # it is told: it may be ours, but this store does not know
    WAIT = "wait"  # it is looked at again
    WAKE = "wake"  # the job finds it by itself
    ADOPT = "adopt"  # the job goes on as this one, which is the older
    DUPLICATE = "duplicate"  # it is stopped: the second one of a live job
    ORPHAN = "orphan"  # it is stopped: nobody else ever will


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and why."""

    verdict: Verdict
    why: str


def judge(
    found: Unrecorded, job: Job | None, recorded: Recorded | None, *, expected: bool, now: float
) -> Judged:
    """`job`: the one whose record has its address, or else whose stamp it bears, if this store has it.

    `recorded`: the one that a live job has on the network by its record (None: it has none, or the network does not
    know it). `expected`: a post of the same definition is under way.
    """
    stamp, age = found.stamp, None if found.listed_at is None else now - found.listed_at
    if job is not None and job.remote is not None and job.remote.address == found.address:
        return _left_behind(job, now)
    if job is not None and (past := _past(found, job, now)) is not None:
        return past
    if stamp is None:
        if not found.defined and (age is None or age < DEFINITION_PATIENCE):
            return Judged(Verdict.WAIT, "its definition is not shown yet")
        return Judged(Verdict.FOREIGN, "it bears no stamp of a dispatcher")
    if job is None:
        return Judged(Verdict.SUSPECTED, f"it bears the stamp of {stamp.dispatch_id}, which is not kept here")
    if found.account not in _accounts(job) or (found.cid is not None and found.cid != job.cid):
        return Judged(Verdict.SUSPECTED, f"it bears the stamp of {job.id}, but is not what that job posted")
    if job.state is State.POSTING:
        return Judged(Verdict.WAKE, f"the post of {job.id} has no answer yet")
    if age is None or age < PATIENCE:
        return Judged(Verdict.WAIT, "it was listed only just now")
    if expected:
        return Judged(Verdict.WAIT, "a post of the same definition has no answer yet")
    if job.state.is_final:
        return _left_behind(job, now)
    return _twice(found, job, recorded)


def _accounts(job: Job) -> set[AccountName]:
    """Those that it may have been posted from. A post that was given up as lost leaves no attempt behind."""
    return {job.account, *(attempt.account for attempt in job.earlier), *accounts_of(job.spec)}


def _past(found: Unrecorded, job: Job, now: float) -> Judged | None:
    """One of the job's earlier attempts, which are known to be over: a list that lags, or it lives all the same."""
    for attempt in job.earlier:
        if attempt.address == found.address:
            said = f"attempt {attempt.number} of {job.id}, which has it, "
            if now - attempt.ended_at < PATIENCE:
                return Judged(Verdict.WAIT, f"{said}ended only just now")
            return Judged(Verdict.ORPHAN, f"{said}is over ({attempt.state}, {attempt.reason})")
    return None


def _left_behind(job: Job, now: float) -> Judged:
    if job.ending is None:
        return Judged(Verdict.WAIT, f"{job.id} has it, and is not over")
    if now - job.ending.at < PATIENCE:
        return Judged(Verdict.WAIT, f"{job.id} ended only just now")
    return Judged(Verdict.ORPHAN, f"{job.id} is over ({job.state}, {job.reason})")


def _twice(found: Unrecorded, job: Job, recorded: Recorded | None) -> Judged:
    """A live job that has another one on the network."""
    remote = job.remote
    if remote is None:
        return Judged(Verdict.ORPHAN, f"{job.id} is {job.state}, and its post counts as refused")
    twice = f"{job.id} is on the network twice, as {remote.address} too"
    if found.account != job.account:
        return Judged(Verdict.DUPLICATE, f"{twice}, from another account")
    if job.earlier and (found.listed_at is None or found.listed_at <= job.earlier[-1].ended_at):
        return Judged(Verdict.DUPLICATE, f"{twice}, and is of an earlier attempt")
    if job.stop is not None or remote.is_over:
        return Judged(Verdict.DUPLICATE, f"{twice}, and ends")
    if recorded is None:
        return Judged(Verdict.WAIT, f"{twice}, which the network does not show")
    if not recorded.alive:
        return Judged(Verdict.DUPLICATE, f"{twice}, which has ended")
    if recorded.listed_at is None or found.listed_at is None:
        return Judged(Verdict.WAIT, f"{twice}; which is older is not shown yet")
    if (found.listed_at, found.address) >= (recorded.listed_at, remote.address):
        return Judged(Verdict.DUPLICATE, f"{twice}, which is older")
    if job.call is not None:
        return Judged(Verdict.WAIT, f"{twice}, for which a call is under way")
    return Judged(Verdict.ADOPT, f"{twice}, which is younger")
