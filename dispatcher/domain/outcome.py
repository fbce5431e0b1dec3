"""How a job ended, from what the network shows and the host reported.

The network's own words mislead (Nosana credits API): state 2 is "over", whoever ended it; a job that ran into
its time-out reports `success`; an owner's stop is state 2, not 3. The exit code and the diagnostics decide.
"""

from dataclasses import dataclass

from dispatcher.domain.costs import capped_by, extends_used_up, next_extension, wanted_seconds
from dispatcher.domain.job import Job, Remote
from dispatcher.domain.words import MONEY_WAITS, Phase, Reason, State


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a host reported, read from its result document."""

    status: str
    exit_code: int | None = None
    expired: bool = False
    stopped: bool = False
    host_quit: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end state and why."""

    state: State
    reason: Reason
    exit_code: int | None = None
    detail: str = ""


_SOFT = {
    "stop.after": Reason.STOP_AFTER,
    "stop.at": Reason.STOP_AT,
    "stop.max_cost": Reason.MAX_COST,
}
"""Why a job ended that got no more time for the sake of a limit (`stop.soft`)."""

_INVALID = frozenset({"validation-error", "init error", "logistics-error"})


def outcome(job: Job, remote: Remote, report: RunReport | None) -> Outcome:
    """Classify the end of a job that the network shows as over."""
    match remote.phase:
        case Phase.HOST_QUIT:
            detail = report.detail if report else ""
            return Outcome(State.FAILED, Reason.HOST_QUIT, report.exit_code if report else None, detail)
        case Phase.GONE:
            return _gone(job, remote)
        case Phase.QUEUED | Phase.RUNNING | Phase.DONE:
            return _without_report(job, remote) if report is None else _reported(job, report)


def _gone(job: Job, remote: Remote) -> Outcome:
    if job.stop is not None:
        return Outcome(State.STOPPED, job.stop.reason)
    if remote.started_at is None and remote.seen_at is not None:
        return Outcome(State.STOPPED, Reason.STOPPED_ELSEWHERE, detail="taken off the queue by somebody else")
    return Outcome(State.FAILED, Reason.VANISHED, detail="the network does not know the job any more")


def _reported(job: Job, report: RunReport) -> Outcome:
    code, detail = report.exit_code, report.detail
    if report.host_quit:
        return Outcome(State.FAILED, Reason.HOST_QUIT, code, detail)
    if report.expired:
        return Outcome(State.STOPPED, expiry_reason(job), code, detail)
    if report.stopped or report.status == "stopped":
        return Outcome(State.STOPPED, job.stop.reason if job.stop else Reason.STOPPED_ELSEWHERE, code, detail)
    if report.status in _INVALID:
        return Outcome(State.FAILED, Reason.INVALID_AT_HOST, code, detail or report.status)
    if code not in (None, 0):
        return Outcome(State.FAILED, Reason.EXIT_CODE, code, detail)
    if report.status == "success":
        return Outcome(State.COMPLETED, Reason.FINISHED, code, detail)
    return Outcome(State.FAILED, Reason.EXIT_CODE, code, detail or f"the host reported {report.status!r}")


def _without_report(job: Job, remote: Remote) -> Outcome:
    lost = "the network shows no result"
    if job.stop is not None:
        return Outcome(State.STOPPED, job.stop.reason, detail=lost)
    if remote.status == "stopped":
        return Outcome(State.STOPPED, Reason.STOPPED_ELSEWHERE, detail=lost)
    if remote.status in _INVALID:
        return Outcome(State.FAILED, Reason.INVALID_AT_HOST, detail=lost)
    if remote.started_at is not None and remote.ended_at is not None:
        if remote.ended_at - remote.started_at >= remote.timeout:
            return Outcome(State.STOPPED, expiry_reason(job), detail=lost)
        if remote.status == "success":
            return Outcome(State.COMPLETED, Reason.FINISHED, detail=lost)
    return Outcome(State.FAILED, Reason.NO_RESULT, detail=lost)


def expiry_reason(job: Job) -> Reason:
    """Why a job ran into its time-out: what kept it from being extended."""
    policy, quantum = job.spec.policies.extend, job.spec.policies.quantum
    if policy is None and quantum is None:
        shortened = job.quote is not None and job.quote.seconds < int(job.spec.timeout.total_seconds())
        return (shortened and capped_by(job)) or Reason.TIMED_OUT
    if job.extend_refused is not None:
        return Reason.REFUSED
    if job.wait is not None and job.wait.reason in MONEY_WAITS:
        return MONEY_WAITS[job.wait.reason]
    if job.no_extends is not None:
        return _SOFT[job.no_extends]
    if extends_used_up(job):
        return Reason.MAX_EXTENDS
    whole = job.remote is not None and job.remote.timeout >= wanted_seconds(job)
    if policy is None and whole:
        return Reason.TIMED_OUT  # it had all the time that was asked for
    return (next_extension(job) == 0 and capped_by(job)) or Reason.TIMED_OUT
