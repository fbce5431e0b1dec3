"""A job, as seen from an application: what it is, how to wait for it, and what may be asked of it."""

import math
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from dispatcher.domain.changing import Change
from dispatcher.domain.crashes import Trouble
from dispatcher.domain.duration import parse_duration
from dispatcher.domain.errors import NotPossible, UnknownJob
from dispatcher.domain.events import Event
from dispatcher.domain.explain import explanation_view
from dispatcher.domain.ids import JobId, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.policies import Policies
from dispatcher.domain.told_policies import policies_view
from dispatcher.domain.view import view
from dispatcher.domain.words import Reason, State
from dispatcher.engine import dead, operate
from dispatcher.engine.changing import change_policies
from dispatcher.engine.closing import callback_state
from dispatcher.engine.explaining import explain_job
from dispatcher.engine.following import follow
from dispatcher.engine.parts import Parts
from dispatcher.engine.resolve import resolve
from dispatcher.ops.clock import poll
from dispatcher.ports.dead import Unreadable
from dispatcher.spending import user as _user

_DEPENDENTS_AT_MOST = 100


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

    def update_policies(self, patch: Policies | Mapping[str, Any], *, by: str | None = None) -> Change:
        """Ask that `patch` be laid upon the job's policies, field by field; None takes a field away:
        `{"stop": {"after": "3h"}, "extend": None}`.

        The answer says what that comes to for the job as it is now: the policies, the names of the fields that are
        different, and notes. A worker takes it in at once, and lays it upon the policies of then; the log says
        `policies_changed`, or `policies_kept` and why. Raises `InvalidRequest` with every fault, `NotPossible` for
        a job that is over, `UnknownJob`.
        """
        return change_policies(self._parts, self._id, patch, by=by or _user())

    def policies(self) -> dict[str, Any]:
        """The job's policies without what is left at its default, the set that they came from, and every change:
        what `dispatcher policy --json` prints."""
        return policies_view(self.job, self.log())

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

    def follow(self, *, every: float = 0.5) -> Iterator[Event | Unreadable]:
        """As `log`, and then what goes on happening, until the job is over; the store is read `every` so many seconds
        of the wall's time. Raises `UnknownJob`; `NotPossible` once it is a dead letter."""
        return follow(
            self._parts.store, self._id, pause=lambda: poll(lambda: None, within=every, every=every)
        )

    def result(self) -> dict[str, Any] | None:
        """The host's result document with its logs, once the job is over and there is one."""
        return self._parts.store.result(self._id)

    def view(self) -> dict[str, Any]:
        """What `dispatcher show --json` prints: of `dependents`, the jobs that come after it, the first hundred."""
        seen = view(self.job, self._parts.clock.now(), self.trouble())
        seen["dependents"] = self._parts.store.dependents(self._id)[:_DEPENDENTS_AT_MOST]
        if seen["callback"] is not None:
            seen["callback"]["state"] = callback_state(self._parts, self.job)
        return seen

    def explain(self) -> dict[str, Any]:
        """What `dispatcher explain --json` prints: where the job is and why, what comes next and under which rule and
        policy, what was tried, and what it costs if nothing changes. Raises `UnknownJob`, `UnreadableRecord`."""
        return explanation_view(explain_job(self._parts, self._id))

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
