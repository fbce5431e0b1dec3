"""A policy's field with its value, and what it comes to for one job: `extend.by 30m, margin 3m: 10 % of by, ...`."""

from datetime import timedelta
from typing import Any

from dispatcher.domain.costs import capped_by, highest_rate, next_extension
from dispatcher.domain.duration import format_duration
from dispatcher.domain.explain.times import moment, span
from dispatcher.domain.job import Job
from dispatcher.domain.money import affordable_seconds, format_usd
from dispatcher.domain.policies import STOP_GRACE, ExtendPolicy, Policies, QuantumPolicy
from dispatcher.domain.words import Reason


def clause(job: Job, field: str, now: float) -> str:
    """The field, as `Due.policy` names it, in words."""
    said = _said(job, field, now)
    return f"{field} {_value(job, field)}" + (f", {said}" if said else "")


def _said(job: Job, field: str, now: float) -> str:
    remote, stop = job.remote, job.spec.policies.stop
    match field:
        case "stop.after" if remote is not None and remote.started_at is not None:
            return f"from its start at {moment(remote.started_at, now)}"
        case "stop.queued_longer_than" if remote is not None:
            return f"from its posting at {moment(remote.posted_at, now)}"
        case "stop.max_cost" if stop.max_cost is not None and (hourly := highest_rate(job)) is not None:
            left = affordable_seconds(hourly, stop.max_cost - job.spend.earlier) if hourly else 0
            return f"which pays for {span(left)} at ${format_usd(hourly)} an hour; the stop goes out a little before"
        case "extend.by" | "quantum.step":
            return _extension(job, now)
        case "poll.every":
            return _pace(job)
        case "credit.wait_at_most" if job.wait is not None:
            since = job.wait.since if job.short_since is None else job.short_since
            return f"from {moment(since, now)}"
        case _:
            return ""


def _extension(job: Job, now: float) -> str:
    policies, remote = job.spec.policies, job.remote
    policy = policies.quantum if policies.quantum is not None else policies.extend
    margin = policies.margin_seconds()
    if policy is None or margin is None:
        return ""
    parts = [f"margin {span(margin)}: {_margin(policy, margin)}"]
    if remote is not None and remote.deadline is not None:
        parts.append(f"at the deadline {moment(remote.deadline, now)} minus {span(margin)}")
    seconds, whole = next_extension(job), _step(policy).total_seconds()
    if 0 < seconds < whole and (cap := capped_by(job)) is not None and policies.quantum is None:
        parts.append(f"shortened to {span(seconds)} by {_limit(policies, cap)}")
    return ", ".join(parts)


def _limit(policies: Policies, cap: Reason) -> str:
    """The field that is behind a limit of `costs.capped_by`."""
    stop, extend = policies.stop, policies.extend
    match cap:
        case Reason.STOP_AT:
            return "stop.at"
        case Reason.EXTEND_UNTIL:
            return "extend.until"
        case Reason.MAX_RUNTIME:
            # With a grace, so that the stop itself can land.
            after = None if stop.after is None else stop.after.total_seconds() + STOP_GRACE
            return "stop.after" if after == policies.max_runtime() else "extend.max_runtime"
        case Reason.MAX_COST:
            capped = extend is not None and extend.max_cost == policies.max_cost()
            return "extend.max_cost" if capped else "stop.max_cost"
        case _:
            return cap.value


def _step(policy: ExtendPolicy | QuantumPolicy) -> timedelta:
    return policy.by if isinstance(policy, ExtendPolicy) else policy.step


def _margin(policy: ExtendPolicy | QuantumPolicy, margin: float) -> str:
    of = "by" if isinstance(policy, ExtendPolicy) else "step"
    whole = _step(policy).total_seconds()
    if policy.margin is not None and policy.margin.total_seconds() == margin:
        return "as given"
    if margin >= whole / 2:
        return f"half of {of}, never more"
    tenth = whole * 0.1
    if margin == tenth:
        return f"10 % of {of}"
    return f"10 % of {of}, but at least 1m" if margin > tenth else f"10 % of {of}, but at most 5m"


def _pace(job: Job) -> str:
    policy = job.spec.policies.poll
    rest = {name: _written(value) for name, value in policy.model_dump(mode="json").items()}
    parts = [f"{name} {value}" for name, value in rest.items() if name not in ("kind", "every")]
    if job.remote is not None and job.remote.unchanged_looks:
        parts.append(f"{job.remote.unchanged_looks} looks in a row without a change")
    return ", ".join(parts)


def _value(job: Job, field: str) -> str:
    value: Any = job.spec.policies
    for name in field.split("."):
        value = getattr(value, name, None)
    return format_duration(value) if isinstance(value, timedelta) else _written(_plain(job, field))


def _plain(job: Job, field: str) -> Any:
    value: Any = job.spec.policies.model_dump(mode="json")
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return f"${value}" if field.endswith(("max_cost", "max_rate_per_hour")) and value is not None else value


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_written(each)}" for name, each in value.items() if name != "kind")
    return "off" if value is None else str(value)
