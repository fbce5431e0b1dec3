"""Enqueue from your own application, and hold on to the jobs.

The first call reads the settings (`DISPATCHER_…`) and connects; the same process then reuses the connections.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dispatcher.domain.crashes import Trouble
from dispatcher.domain.duration import parse_duration
from dispatcher.domain.errors import NotPossible, ProviderError, SettingsError, UnknownJob
from dispatcher.domain.events import Event
from dispatcher.domain.ids import AccountName, JobId, RemoteAddress
from dispatcher.domain.job import Job, Reason, State
from dispatcher.domain.money import format_usd
from dispatcher.domain.request import JobRequest, parse_many
from dispatcher.domain.view import crashed as crashed_view
from dispatcher.domain.view import dead as dead_view
from dispatcher.domain.view import timestamp, view
from dispatcher.engine import dead, intake, many, operate
from dispatcher.engine.money import refresh_balance
from dispatcher.engine.parts import Parts
from dispatcher.engine.reconcile import reconcile as reconcile_all
from dispatcher.engine.resolve import resolve
from dispatcher.engine.strays import stop_by_hand
from dispatcher.library import parts as _parts
from dispatcher.library import runtime as _runtime
from dispatcher.ops.clock import poll
from dispatcher.planning import plan
from dispatcher.ports.dead import Listed, Unreadable
from dispatcher.ports.mending import Stray
from dispatcher.ports.store import Exposure
from dispatcher.spending import (
    audit_account,
    budgets,
    freeze_account,
    remove_budget,
    set_budget,
    standing,
    thaw_account,
)
from dispatcher.spending import user as _user

__all__ = [
    "JobHandle",
    "audit_account",
    "balance",
    "budgets",
    "enqueue",
    "enqueue_many",
    "freeze_account",
    "get_job",
    "list_jobs",
    "markets",
    "plan",
    "remove_budget",
    "set_budget",
    "thaw_account",
]


def enqueue(request: JobRequest | Mapping[str, Any]) -> "JobHandle":
    """Store one request and ring the workers; the answer says whether it was new.

    Raises `InvalidRequest` (every fault; nothing stored), `RequestConflict` (the request id belongs to another
    request), `TooManyJobs` (no further one can be kept), `StoreUnavailable`.
    """
    return enqueue_many([request])[0]


def enqueue_many(requests: Sequence[JobRequest | Mapping[str, Any]]) -> "list[JobHandle]":
    """Store thousands of requests in few round trips; all are validated before the first is stored.

    Raises as `enqueue` does; the faults' paths begin with `requests[i]` if there are several.
    """
    parsed = parse_many(requests)
    parts = _parts()
    added = intake.enqueue(parts, parsed)
    return [JobHandle(item.id, new=item.new, parts=parts) for item in added]


def get_job(job_id: str, *, read: bool = True) -> "JobHandle":
    """The handle of a job that is there. Raises `UnknownJob`, and `UnreadableRecord` where its record cannot be read;
    neither if it is not to be `read` now."""
    handle = JobHandle(JobId(job_id), new=False, parts=_parts())
    return handle.refresh() if read else handle


def list_jobs(
    *,
    states: Sequence[State] = (),
    limit: int = 100,
    offset: int = 0,
    account: str | None = None,
    labels: Mapping[str, str] | None = None,
    reasons: Sequence[Reason] = (),
) -> list[dict[str, Any]]:
    """Jobs as `JobHandle.view` shows them, the newest first: those in one of `states`, of `account`, with all of
    `labels`, there for one of `reasons`; what is left out chooses all.

    Of a job whose record cannot be read only `id`, `state`, `reason` (`unreadable`), `dead` and `crashed` are known;
    it is listed where nothing but states is asked for.
    """
    parts, choice = _parts(), _choice(account, labels, reasons)
    now = parts.clock.now()
    found = many.list_chosen(parts.store, choice, states=states, limit=limit, offset=offset)
    return [_listed(each, now) for each in found]


def live_jobs(*, account: str | None = None, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """How many jobs are not over, and what they can still cost; of `account` and with all of `labels`, if given.

    `live_jobs`; `unattended_usd`: at most, if every dispatcher process died now; `allowed_usd`: at most ever, by
    their policies; None if that is not known of some, which `unlimited_jobs` counts: no policy limits them, or
    their price was not asked yet.
    """
    return _still(many.exposure_of(_parts(), _choice(account, labels)))


def stop_all(
    *, account: str | None = None, labels: Mapping[str, str] | None = None, by: str | None = None
) -> int:
    """Ask every job to stop that is not over; of `account` and with all of `labels`, if given. How many were asked.

    Jobs that are enqueued meanwhile, or later, are not asked.
    """
    return many.stop_chosen(_parts(), _choice(account, labels), by=by or _user())


def _listed(listed: Listed, now: float) -> dict[str, Any]:
    if listed.job is not None:
        return view(listed.job, now, listed.trouble)
    return {
        "id": listed.id,
        "state": listed.state,
        "reason": "unreadable",
        "dead": dead_view(listed.trouble),
        "crashed": crashed_view(listed.trouble),
    }


def dead_letters(*, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """Jobs that were put aside after too many crashes, the newest first: `id`, `reason`, `crashes`, `at`."""
    return [
        {
            "id": letter.job_id,
            "reason": letter.reason,
            "crashes": letter.crashes,
            "at": timestamp(letter.at),
        }
        for letter in _parts().store.dead_letters(limit=limit, offset=offset)
    ]


def dead_letter(job_id: str) -> dict[str, Any]:
    """All that is known of a dead letter, or of a job that is on the way there: the fields of `dead_letters`, `dead`,
    `retry_at`, `dropped_at`, the `traceback`; the `job` as `JobHandle.view` shows it (None where nothing can be read);
    whether its record is `readable`, otherwise the `record` as it is kept; and `alive`: what may go on and cost on the
    network, None if surely nothing does.

    A job that cannot be read is told of by its log. Raises `UnknownJob`, and `NotPossible` for a job in no trouble.
    """
    parts, name = _parts(), JobId(job_id)
    letter = parts.store.trouble(name)
    job, told = dead.known(parts, name)
    raw = parts.store.raw(name)
    if raw is None or (letter is None and job is not None):
        raise dead.not_dead(parts, name)
    unread = "its record cannot be read"
    return {
        "id": name,
        "reason": letter.reason if letter else unread,
        "crashes": letter.crashes if letter else 0,
        "at": timestamp(letter.at) if letter else None,
        "dead": letter is not None and letter.dead,
        "retry_at": timestamp(letter.retry_at) if letter else None,
        "dropped_at": timestamp(letter.dropped_at) if letter else None,
        "traceback": letter.traceback if letter else "",
        "readable": job is not None,
        "record": parts.scrub(raw) if job is None else None,
        "job": None if told is None else view(told, parts.clock.now(), letter),
        "alive": dead.alive(told),
    }


def retry_dead(job_ids: Sequence[str] | None = None) -> list[str]:
    """Try dead letters again, each as often as a new job; all of them if none is named.

    The answer names those that were dead; the others stay as they are.
    """
    parts = _parts()
    if job_ids is None:
        return [*dead.retry_all(parts)]
    return [*dead.retry(parts, [JobId(job_id) for job_id in job_ids])]


def drop_dead(job_id: str, *, running: bool = False, by: str | None = None) -> dict[str, Any] | None:
    """End a dead letter for good, as failed (`dropped`); the answer is the job's view, None if it cannot be read.

    Its holds are settled, at everything that may be reserved unless it never reached the network; its request id
    stays known as long as the job is kept. Nothing is asked of the network. Raises `UnknownJob`, and `NotPossible`
    for a job that is not dead, or that may be alive on the network unless `running` is given.
    """
    parts = _parts()
    job = dead.drop(parts, JobId(job_id), by=by or _user(), running=running)
    return None if job is None else view(job, parts.clock.now())


def balance(account: str = "default") -> dict[str, Any]:
    """The account's credits as the network shows them now, what is held here, and what its jobs can still cost
    (see `live_jobs`); texts of US dollars.

    Raises `SettingsError` for an unknown account, `ProviderError` if the network does not answer.
    """
    parts, name = _parts(), AccountName(account)
    seen = refresh_balance(parts, name)
    credits_ = seen.balance
    return {
        "account": account,
        "assigned_usd": format_usd(credits_.assigned) if credits_ else None,
        "reserved_usd": format_usd(credits_.reserved) if credits_ else None,
        "settled_usd": format_usd(credits_.settled) if credits_ else None,
        "available_usd": None if seen.available is None else format_usd(seen.available),
        "held_usd": format_usd(seen.held),
        "jobs_settled_usd": format_usd(seen.settled),
        "waiting_jobs": parts.store.waiting_count(name),
        **standing(parts, name, seen),
        **_still(parts.store.exposure(name)),
    }


def network() -> list[dict[str, Any]]:
    """What holds calls back now, for every account and API: rate limit, pause, breaker. The network is not asked.

    Times are ISO 8601 in UTC, None where there is nothing to tell; `breaker` is closed, open, or half-open.
    """
    parts = _parts()
    now = parts.clock.now()
    return [
        {
            "account": lane.account,
            "api": lane.api,
            "requests_per_second": each.requests_per_second,
            "available_now": math.floor(seen.available),
            "paused_until": timestamp(seen.paused_until),
            "breaker": seen.breaker(now),
            "breaker_since": timestamp(seen.open_since),
            "next_trial_at": timestamp(seen.trial_at),
            "failures_in_a_row": seen.failures,
        }
        for each in _runtime().accounts.disciplined()
        for lane, seen in each.lanes()
    ]


def balances() -> dict[str, Any]:
    """`accounts`: every account that the settings know or that has live jobs, as `balance` shows it; where it cannot
    be asked, its name, an `error`, and what its jobs can still cost. `total`: that of all accounts."""
    parts = _parts()
    names = {*parts.providers.names(), *parts.store.exposed_accounts()}
    return {
        "accounts": [_balance_or_error(parts, name) for name in sorted(names)],
        "total": _still(many.exposure_of(parts, many.Choice())),
    }


def _balance_or_error(parts: Parts, name: AccountName) -> dict[str, Any]:
    try:
        return balance(name)
    except (ProviderError, SettingsError) as e:
        return {"account": name, "error": str(e), **_still(parts.store.exposure(name))}


def _still(exposure: Exposure) -> dict[str, Any]:
    return {
        "live_jobs": exposure.jobs,
        "unattended_usd": format_usd(exposure.committed),
        "allowed_usd": None if exposure.unlimited else format_usd(exposure.allowed),
        "unlimited_jobs": exposure.unlimited,
    }


def _choice(
    account: str | None, labels: Mapping[str, str] | None, reasons: Sequence[Reason] = ()
) -> many.Choice:
    return many.Choice(None if account is None else AccountName(account), dict(labels or {}), tuple(reasons))


def markets(account: str = "default") -> list[dict[str, Any]]:
    """The network's markets with what an hour costs, fee included (None where it shows no usable price)."""
    return [
        {
            "address": market.address,
            "slug": market.slug,
            "name": market.name,
            "type": market.kind,
            "rate_per_hour_usd": None if market.rate_per_hour is None else format_usd(market.rate_per_hour),
            "gpu_types": list(market.gpu_types),
            "lowest_vram": market.lowest_vram,
        }
        for market in _parts().providers.account(AccountName(account)).markets()
    ]


def reconcile() -> dict[str, Any]:
    """Look everything over once: the store, the holds, and the network's list of each account's jobs.

    What beat does in bounded rounds. The answer says what was mended, which jobs on the network have no record, and
    what could not be looked at. Raises `StoreUnavailable`.
    """
    found = reconcile_all(_parts(), whole=True)
    return {
        "looked_at": len(found.looked_at),
        "mended": [{"job": finding.job, "what": finding.what} for finding in found.findings],
        "strays": [_stray(stray) for seen in found.sightings.values() for stray in seen.strays],
        "adopted": [
            {"job": job_id, "address": address}
            for seen in found.sightings.values()
            for job_id, address in seen.adopted
        ],
        "foreign_jobs": sum(seen.foreign for seen in found.sightings.values()),
        "not_listed": [name for name, seen in found.sightings.items() if not seen.finds],
        "not_looked_at": found.unseen,
    }


def stop_stray(address: str, account: str = "default", *, by: str | None = None) -> dict[str, Any]:
    """Stop a job on the network that no job here has. Until the network confirms it, every round tries again.

    Raises `NotPossible` if a job that is not over has it.
    """
    return _stray(stop_by_hand(_parts(), AccountName(account), RemoteAddress(address), by=by or _user()))


def _stray(stray: Stray) -> dict[str, Any]:
    return {
        "address": stray.address,
        "account": stray.account,
        "kind": stray.kind,
        "why": stray.why,
        "job": stray.job,
        "outcome": stray.outcome,
        "tries": stray.tries,
    }


class JobHandle:
    """A job, as seen from outside. The record is read when asked for, and kept until `refresh`."""

    def __init__(self, job_id: JobId, *, new: bool, parts: Parts) -> None:
        self._id, self._new, self._parts = job_id, new, parts
        self._job: Job | None = None

    @property
    def id(self) -> JobId:
        return self._id

    @property
    def new(self) -> bool:
        """True if this call stored the job; False if its request id was known."""
        return self._new

    @property
    def job(self) -> Job:
        """The whole record as last read."""
        return self._job if self._job is not None else self.refresh().job

    @property
    def state(self) -> State:
        return self.job.state

    @property
    def reason(self) -> Reason:
        return self.job.reason

    @property
    def done(self) -> bool:
        return self.job.state.is_final

    def refresh(self) -> "JobHandle":
        """Read the record again. Raises `UnknownJob` once its retention is over."""
        job = self._parts.store.load(self._id)
        if job is None:
            raise UnknownJob(self._id)
        self._job = job
        return self

    def wait(self, timeout: str | timedelta | None = None) -> "JobHandle":
        """Wait until the job is over. Raises `TimeoutError` after `timeout` (`90s`, `1h`; of the wall's time), and
        `NotPossible` once it is a dead letter: by itself it does not end then."""
        longest = math.inf if timeout is None else parse_duration(timeout).total_seconds()
        if poll(self._is_over, within=longest, every=0.2):
            return self
        raise TimeoutError(f"{self._id} is still {self.state} ({self.reason}) after {timeout}")

    def stop(self, *, by: str | None = None) -> "JobHandle":
        """Ask for a stop; it wins over every extension. A job that is over stays as it is."""
        operate.stop(self._parts, self._id, by=by or _user())
        return self

    def extend(self, by: str | timedelta, *, who: str | None = None) -> "JobHandle":
        """Ask for `by` more run time (`30m`). Raises `NotPossible` with the reason."""
        seconds = int(parse_duration(by).total_seconds())
        operate.extend(self._parts, self._id, seconds, by=who or _user())
        return self

    def resolve(
        self, *, posted: str | None = None, not_posted: bool = False, by: str | None = None
    ) -> "JobHandle":
        """Say what became of a post that cannot be found out about: it is at the address `posted`, or nowhere.

        Raises `NotPossible` with the reason, above all if the job at `posted` is another one; `ProviderError` if the
        network does not show that now.
        """
        address = None if posted is None else RemoteAddress(posted)
        resolve(self._parts, self._id, posted=address, not_posted=not_posted, by=by or _user())
        return self

    def trouble(self) -> Trouble | None:
        """How the job's last turns failed, and whether it is a dead letter; None if the last one did not fail."""
        return self._parts.store.trouble(self._id)

    @property
    def is_dead(self) -> bool:
        """Whether the job is a dead letter now."""
        trouble = self.trouble()
        return trouble is not None and trouble.dead

    def retry_dead(self) -> bool:
        """Try the job again if it is a dead letter; False if it is none."""
        return bool(dead.retry(self._parts, [self._id]))

    def events(self) -> list[Event]:
        """Everything that happened to the job, oldest first. Raises `UnreadableRecord` if an entry cannot be read."""
        return self._parts.store.events(self._id)

    def log(self) -> list[Event | Unreadable]:
        """As `events`, with a mark in the place of what cannot be read."""
        return self._parts.store.log(self._id)

    def result(self) -> dict[str, Any] | None:
        """The host's result document with its logs, once the job is over and there is one."""
        return self._parts.store.result(self._id)

    def view(self) -> dict[str, Any]:
        """What `dispatcher show --json` prints."""
        return view(self.job, self._parts.clock.now(), self.trouble())

    def _is_over(self) -> bool | None:
        trouble = self.trouble()
        if self.refresh().done:
            return True
        if trouble is not None and trouble.dead:
            raise NotPossible(
                f"{self._id} is a dead letter ({trouble.reason}): nothing happens to it until "
                f"`dispatcher dead retry {self._id}`"
            )
        return None

    def __repr__(self) -> str:
        known = f" {self._job.state}" if self._job is not None else ""
        return f"<JobHandle {self._id}{known}>"
