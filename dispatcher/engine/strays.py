"""Jobs on the network that no record has: found in the account's list, told apart, adopted or stopped.

What is stopped is written down first, and stopped again until the network confirms it. What is not surely ours is
never touched. The list is asked for sparingly: the network allows 20 pages in 30 seconds (Nosana indexer).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from dispatcher.domain.errors import Bug, NotFound, NotPossible
from dispatcher.domain.ids import AccountName, JobId, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.rules.stopping import STOP_REPEAT
from dispatcher.domain.strays import Judged, Recorded, Unrecorded, Verdict, judge
from dispatcher.domain.words import Phase, State
from dispatcher.engine.calls import stop_stray
from dispatcher.engine.parts import Parts
from dispatcher.engine.projects import knowing
from dispatcher.ports.mending import Stray, StrayKind
from dispatcher.ports.provider import ListedJob, Provider
from dispatcher.ports.store import Command

_log = structlog.get_logger(__name__)

_PAGE: Final = 50
_PAGES: Final = 4
"""Pages of the list in one round."""
_READ: Final = 20
"""Records that are read in one round to learn whose a job is; the others' turn comes in the next."""
_POSTING: Final = 1000
_ALIVE: Final = (Phase.QUEUED, Phase.RUNNING)
_STOPPED: Final[dict[Verdict, StrayKind]] = {Verdict.ORPHAN: "orphan", Verdict.DUPLICATE: "duplicate"}
_TOLD: Final[dict[Verdict, StrayKind]] = {Verdict.FOREIGN: "foreign", Verdict.SUSPECTED: "suspected"}


@dataclass(slots=True)
class Sighting:
    """What one look at an account's list brought. `foreign`: jobs in it that are nobody's business here."""

    finds: bool = True
    """Whether the account's jobs can be listed at all."""
    listed: int = 0
    foreign: int = 0
    strays: list[Stray] = field(default_factory=list)
    """Those that were found or stopped now."""
    adopted: list[tuple[JobId, RemoteAddress]] = field(default_factory=list)
    woken: list[JobId] = field(default_factory=list)


def look_for_strays(parts: Parts, account: AccountName, *, whole: bool = False) -> Sighting:
    """Go on with the account's list where the last round stopped; from its beginning to its end if `whole`.

    Stops that are not confirmed are repeated, whether the list can be had or not. Raises `ProviderError` and
    `SettingsError` if the network does not answer.
    """
    provider, sighting = knowing(parts, account), Sighting()
    known = {stray.address: stray for stray in parts.store.strays() if stray.account == account}
    for stray in [stray for stray in known.values() if stray.is_open][:_READ]:
        known[stray.address] = _stop(parts, stray, sighting)
    sighting.finds = provider.capabilities.finds
    if not sighting.finds:
        return sighting
    read = 0
    for page in _pages(parts, provider, account, whole=whole):
        listed = {job.address: job for job in page if job.phase in _ALIVE}
        sighting.listed += len(listed)
        for job in listed.values():
            if _is_recorded(parts, job.address):
                continue
            before = known.get(job.address)
            if before is not None and before.kind in _TOLD.values():
                sighting.foreign += before.kind == "foreign"
            elif before is not None:
                _stop_again(parts, before, sighting)
            elif read < _READ or whole:
                read += 1
                _consider(parts, provider, account, job, sighting)
    return sighting


def stop_by_hand(parts: Parts, account: AccountName, address: RemoteAddress, *, by: str) -> Stray:
    """Stop a job on the network that no live job here has. Raises `NotPossible` if one has it, and `SettingsError`
    for an unknown account."""
    parts.providers.account(account)
    job_id = parts.store.find_address(address)
    if job_id is not None and not parts.store.over([job_id]):
        raise NotPossible(f"{address} is {job_id}, which is not over: `dispatcher stop {job_id}` stops it")
    now = parts.clock.now()
    known = next((stray for stray in parts.store.strays() if stray.address == address), None)
    stray = Stray(address, account, "ordered", f"{by} asked for it", job_id, now, now)
    if known is not None:
        stray = replace(stray, job=known.job, found_at=known.found_at, epoch=known.epoch + 1)
    return _stop(parts, stray, Sighting())


def _pages(
    parts: Parts, provider: Provider, account: AccountName, *, whole: bool
) -> Iterator[tuple[ListedJob, ...]]:
    """Pages of queued and running jobs; where to go on is kept before the next one is asked for."""
    bookmark = f"listed:{account}"
    at = "" if whole else parts.store.bookmark(bookmark)
    phase, offset = (Phase(at.split()[0]), int(at.split()[1])) if at else (Phase.QUEUED, 0)
    asked = 0
    while whole or asked < _PAGES:
        page = provider.list_jobs(phase=phase, limit=_PAGE, offset=offset)
        asked += 1
        yield page
        if len(page) == _PAGE:
            offset += _PAGE
        elif phase is Phase.QUEUED:
            phase, offset = Phase.RUNNING, 0
        else:
            parts.store.set_bookmark(bookmark, "")
            return
        parts.store.set_bookmark(bookmark, f"{phase} {offset}")


def _is_recorded(parts: Parts, address: RemoteAddress) -> bool:
    """Whether a job that is not over has it."""
    job_id = parts.store.find_address(address)
    return job_id is not None and not parts.store.over([job_id])


def _consider(
    parts: Parts, provider: Provider, account: AccountName, listed: ListedJob, sighting: Sighting
) -> None:
    try:
        seen = provider.get(listed.address)
    except NotFound:
        return  # it is over by now, or the index does not have it yet
    if seen.phase not in _ALIVE:
        return
    found = Unrecorded(
        address=listed.address,
        account=account,
        cid=seen.cid or listed.cid,
        listed_at=listed.listed_at if listed.listed_at is not None else seen.listed_at,
        stamp=seen.stamp,
        defined=seen.defined,
    )
    job = _whose(parts, found)
    recorded = _recorded(provider, job)
    # In this order: a post whose answer comes in between is either still expected, or recorded by now.
    expected = _is_expected(parts, found)
    if _is_recorded(parts, found.address):
        return
    judged = judge(found, job, recorded, expected=expected, now=parts.clock.now())
    _act(parts, found, job, judged, sighting)


def _whose(parts: Parts, found: Unrecorded) -> Job | None:
    """The job whose record has its address, of a job or an attempt that is over; else the one whose stamp it bears."""
    address = found.address
    if (job_id := parts.store.find_address(address) or parts.store.find_past_address(address)) is not None:
        return parts.store.load(job_id)
    return None if found.stamp is None else parts.store.load(JobId(found.stamp.dispatch_id))


def _recorded(provider: Provider, job: Job | None) -> Recorded | None:
    """What the job has on the network by its record."""
    if job is None or job.remote is None or job.state.is_final:
        return None
    try:
        seen = provider.get(job.remote.address)
    except NotFound:
        return None
    return Recorded(alive=seen.phase in _ALIVE, listed_at=seen.listed_at)


def _is_expected(parts: Parts, found: Unrecorded) -> bool:
    """Whether a post that may have landed asks for the same definition: equal ones bear equal stamps."""
    posting = parts.store.list_jobs(states=[State.POSTING], limit=_POSTING)
    return len(posting) == _POSTING or any(job.cid == found.cid for job in posting)


def _act(parts: Parts, found: Unrecorded, job: Job | None, judged: Judged, sighting: Sighting) -> None:
    now = parts.clock.now()
    verdict, why = judged.verdict, judged.why
    if verdict is Verdict.WAIT:
        _log.debug("stray_waits", account=found.account, address=found.address, why=why)
    elif verdict in _TOLD:
        _tell(parts, _stray(found, _TOLD[verdict], job, why, now), sighting)
    elif verdict in _STOPPED:
        _stop(parts, _stray(found, _STOPPED[verdict], job, why, now), sighting)
    elif job is None:
        raise Bug(f"{verdict} needs a job")
    elif verdict is Verdict.WAKE:
        parts.store.wake([job.id], now=now)
        sighting.woken.append(job.id)
    else:
        adopt = Command("adopt", by="reconcile", at=now, detail=found.address)
        parts.store.command(job.id, adopt, now=now)
        sighting.adopted.append((job.id, found.address))
        _log.error("job_found_twice", account=found.account, job=job.id, address=found.address, why=why)


def _stray(found: Unrecorded, kind: StrayKind, job: Job | None, why: str, now: float) -> Stray:
    stamped = None if found.stamp is None else JobId(found.stamp.dispatch_id)
    job_id = stamped if job is None else job.id
    return Stray(found.address, found.account, kind, why, job_id, now, now)


def _tell(parts: Parts, stray: Stray, sighting: Sighting) -> None:
    """Once for each: it is remembered."""
    parts.store.note_stray(stray)
    sighting.strays.append(stray)
    told = {"account": stray.account, "address": stray.address, "why": stray.why}
    if stray.kind == "foreign":
        sighting.foreign += 1
        _log.info("foreign_job", **told)
    else:
        way_out = f"dispatcher reconcile --stop {stray.address} --account {stray.account}"
        _log.warning("orphan_suspected", **told, stamp=stray.job, to_stop_it=way_out)


def _stop(parts: Parts, stray: Stray, sighting: Sighting) -> Stray:
    stray = stop_stray(parts, stray)
    sighting.strays.append(stray)
    if stray.is_open:
        return stray
    now = parts.clock.now()
    told = {"account": stray.account, "address": stray.address, "job": stray.job, "why": stray.why}
    if stray.kind == "ordered":
        _log.info("stray_stopped", **told, outcome=stray.outcome)
        return stray
    _log.error(f"{stray.kind}_stopped", **told, outcome=stray.outcome)
    if stray.job is not None:
        what = f"{stray.address} on the network was stopped: {stray.why}"
        parts.store.command(stray.job, Command("mended", by="reconcile", at=now, detail=what), now=now)
    return stray


def _stop_again(parts: Parts, stray: Stray, sighting: Sighting) -> None:
    """A stop was confirmed, and the list shows the job all the same: lists lag, but not for ever."""
    if stray.outcome is not None and parts.clock.now() - stray.noted_at > STOP_REPEAT:
        _stop(parts, replace(stray, outcome=None, epoch=stray.epoch + 1), sighting)
