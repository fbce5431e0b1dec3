"""Dropping a dead letter: what may go on without it, what the books take for it, and how its end is written."""

from decimal import Decimal

from dispatcher.domain import events as ev
from dispatcher.domain.costs import final_cost, last_cost, reserved_at_most
from dispatcher.domain.duration import format_duration
from dispatcher.domain.job import Ending, Job
from dispatcher.domain.money import format_usd
from dispatcher.domain.view import timestamp
from dispatcher.domain.words import Operation, Reason, State


def may_be_alive(job: Job) -> str | None:
    """What may go on, and cost, on the network while nobody looks after the job; None if surely nothing does."""
    most = f"it can still cost ${format_usd(reserved_at_most(job))} in total"
    if job.state.is_final:
        return None
    remote = job.remote
    if remote is None:
        if job.call is None or job.call.operation is not Operation.POST:
            return None
        span = format_duration(job.call.seconds)
        return (
            f"its post may have landed (key {job.call.key}): nothing says at which address; "
            f"it would run for up to {span}, and {most}"
        )
    if remote.is_over:
        return None
    further = job.call.seconds if job.call is not None and job.call.operation is Operation.EXTEND else 0
    if remote.started_at is None:
        until = f"for {format_duration(remote.timeout + further)} from when a host takes it"
    else:
        until = f"until {timestamp(remote.started_at + remote.timeout + further)}"
    if job.spend.doubtful > 0:
        until += ", or longer if an extension landed whose answer never came"
    return f"it may be alive on the network at {remote.address}: it runs {until}, and {most}"


def cost_when_dropped(job: Job) -> Decimal:
    """What the books take for a job that is dropped, US dollars, beside what earlier attempts did cost: nothing if
    it surely never reached the network, what it ran for if the network showed its end, and otherwise everything that
    may be reserved."""
    if job.state.is_final:
        return last_cost(job)
    if job.remote is not None and job.remote.is_over:
        return final_cost(job)
    return reserved_at_most(job)


def dropped(job: Job, now: float, *, by: str, reason: str) -> ev.Ended:
    """The end of a dead letter. `reason`: why it was one."""
    detail = f"dropped by {by} as a dead letter: {reason}"
    if (alive := may_be_alive(job)) is not None:
        detail += f"; {alive}"
    result_cid = None if job.remote is None else job.remote.result_cid
    return ev.Ended(
        at=now,
        state=State.FAILED,
        reason=Reason.DROPPED,
        ending=Ending(at=now, result_cid=result_cid, detail=detail),
        settled=job.spend.earlier + cost_when_dropped(job),
    )
