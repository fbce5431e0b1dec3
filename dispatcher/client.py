"""Enqueue from your own application, and hold on to the jobs.

The first call reads the settings (`DISPATCHER_…`) and connects; the same process then reuses the connections.
"""

import getpass
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dispatcher import bootstrap
from dispatcher.domain.duration import parse_duration
from dispatcher.domain.errors import UnknownJob
from dispatcher.domain.events import Event
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Job, Reason, State
from dispatcher.domain.money import format_usd
from dispatcher.domain.request import JobRequest, parse_many
from dispatcher.domain.view import view
from dispatcher.engine import intake, operate
from dispatcher.engine.money import refresh_balance
from dispatcher.engine.parts import Parts
from dispatcher.ops import logs
from dispatcher.ops.clock import poll


def _parts() -> Parts:
    from dispatcher.celery import app  # noqa: PLC0415 - reads the settings: at the first call, not at import

    runtime = bootstrap.runtime(app)
    logs.configure_library(secrets=runtime.settings.secrets())
    return runtime.parts


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


def get_job(job_id: str) -> "JobHandle":
    """The handle of a job that is there. Raises `UnknownJob`."""
    handle = JobHandle(JobId(job_id), new=False, parts=_parts())
    handle.refresh()
    return handle


def list_jobs(*, states: Sequence[State] = (), limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """Jobs as `JobHandle.view` shows them, the newest first; all states if none is named."""
    parts = _parts()
    now = parts.clock.now()
    return [view(job, now) for job in parts.store.list_jobs(states=states, limit=limit, offset=offset)]


def balance(account: str = "default") -> dict[str, Any]:
    """The account's credits as the network shows them now, and what is held here; texts of US dollars.

    Raises `SettingsError` for an unknown account, `ProviderError` if the network does not answer.
    """
    parts, name = _parts(), AccountName(account)
    seen = refresh_balance(parts, name)
    credits_ = seen.balance
    waiting = parts.store.waiters(name, 10_000) if name in parts.store.waiting_accounts() else []
    return {
        "account": account,
        "assigned_usd": format_usd(credits_.assigned) if credits_ else None,
        "reserved_usd": format_usd(credits_.reserved) if credits_ else None,
        "settled_usd": format_usd(credits_.settled) if credits_ else None,
        "available_usd": None if seen.available is None else format_usd(seen.available),
        "held_usd": format_usd(seen.held),
        "jobs_settled_usd": format_usd(seen.settled),
        "waiting_jobs": len(waiting),
    }


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
        """Wait until the job is over. Raises `TimeoutError` after `timeout` (`90s`, `1h`; of the wall's time)."""
        longest = math.inf if timeout is None else parse_duration(timeout).total_seconds()
        if poll(lambda: self.refresh().done or None, within=longest, every=0.2):
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

    def events(self) -> list[Event]:
        """Everything that happened to the job, oldest first."""
        return self._parts.store.events(self._id)

    def result(self) -> dict[str, Any] | None:
        """The host's result document with its logs, once the job is over and there is one."""
        return self._parts.store.result(self._id)

    def view(self) -> dict[str, Any]:
        """What `dispatcher show --json` prints."""
        return view(self.job, self._parts.clock.now())

    def __repr__(self) -> str:
        known = f" {self._job.state}" if self._job is not None else ""
        return f"<JobHandle {self._id}{known}>"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
