"""Enqueue from your own application, and hold on to the jobs.

The first call reads the settings (`DISPATCHER_…`) and connects; the same process then reuses the connections.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dispatcher.domain.errors import ProviderError, SettingsError
from dispatcher.domain.ids import AccountName, JobId, RemoteAddress
from dispatcher.domain.money import format_usd
from dispatcher.domain.request import JobRequest, parse_many
from dispatcher.domain.view import crashed as crashed_view
from dispatcher.domain.view import dead as dead_view
from dispatcher.domain.view import timestamp, view
from dispatcher.domain.words import Reason, State
from dispatcher.engine import intake, many
from dispatcher.engine.money import refresh_balance
from dispatcher.engine.parts import Parts
from dispatcher.engine.reconcile import reconcile as reconcile_all
from dispatcher.engine.strays import stop_by_hand
from dispatcher.handle import JobHandle
from dispatcher.letters import dead_letter, dead_letters, drop_dead, retry_dead
from dispatcher.library import parts as _parts
from dispatcher.library import runtime as _runtime
from dispatcher.planning import plan
from dispatcher.ports.dead import Listed
from dispatcher.ports.mending import Stray
from dispatcher.ports.store import Exposure
from dispatcher.schedules import (
    add_schedule,
    check_schedules,
    get_schedule,
    list_schedules,
    next_occurrences,
    pause_schedule,
    remove_schedule,
    resume_schedule,
    run_schedule_now,
    sync_schedules,
)
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
    "add_schedule",
    "audit_account",
    "balance",
    "budgets",
    "check_schedules",
    "dead_letter",
    "dead_letters",
    "drop_dead",
    "enqueue",
    "enqueue_many",
    "freeze_account",
    "get_job",
    "get_schedule",
    "list_jobs",
    "list_schedules",
    "markets",
    "next_occurrences",
    "pause_schedule",
    "plan",
    "remove_budget",
    "remove_schedule",
    "resume_schedule",
    "retry_dead",
    "run_schedule_now",
    "set_budget",
    "sync_schedules",
    "thaw_account",
]


def enqueue(request: JobRequest | Mapping[str, Any]) -> JobHandle:
    """Store one request and ring the workers; the answer says whether it was new.

    Raises `InvalidRequest` (every fault; nothing stored), `RequestConflict` (the request id belongs to another
    request), `TooManyJobs` (no further one can be kept), `StoreUnavailable`.
    """
    return enqueue_many([request])[0]


def enqueue_many(requests: Sequence[JobRequest | Mapping[str, Any]]) -> list[JobHandle]:
    """Store thousands of requests in few round trips; all are validated before the first is stored.

    Raises as `enqueue` does; the faults' paths begin with `requests[i]` if there are several.
    """
    parsed = parse_many(requests)
    parts = _parts()
    added = intake.enqueue(parts, parsed)
    return [JobHandle(item.id, new=item.new, parts=parts) for item in added]


def get_job(job_id: str, *, read: bool = True) -> JobHandle:
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
            "polls_per_minute": each.polls_per_minute,
            "polls_now": None if seen.looks is None else math.floor(seen.looks),
            "polls_wait_until": timestamp(seen.looks_until),
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
