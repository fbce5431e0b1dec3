"""The ideal network for a job that is on the network already: it goes on from what the record shows."""

from typing import Any

from dispatcher.domain import actions as act
from dispatcher.domain import events as ev
from dispatcher.domain.costs import ZERO, highest_rate
from dispatcher.domain.errors import Bug
from dispatcher.domain.forecast.network import IdealNetwork
from dispatcher.domain.forecast.told import Assumed
from dispatcher.domain.job import Call, Job, Remote
from dispatcher.domain.money import price


def network_of(job: Job, assumed: Assumed, now: float) -> IdealNetwork | None:
    """The network as the job's record shows it at `now`; None while the job is not on it."""
    return None if job.remote is None else _UnderWay(job, job.remote, assumed, now)


def resolved(
    job: Job, action: act.DropExtension | act.TakeExtended | act.Disown | act.Park, now: float
) -> ev.Event:
    """What comes of an action that only the record of a job under way leads to."""
    if isinstance(action, act.DropExtension):
        return ev.ExtendDropped(at=now, seconds=action.seconds, detail=action.detail)
    call = job.call
    if call is None:
        raise Bug("the planner looked for a call that is not open")
    match action:
        case act.TakeExtended():
            amount = price(highest_rate(job) or ZERO, call.seconds)
            return ev.Extended(at=now, key=call.key, seconds=call.seconds, amount=amount)
        case act.Disown():
            return ev.CallNotFound(at=now, operation=call.operation, key=call.key, by="search")
        case act.Park():
            return ev.CallUnresolved(at=now, key=call.key, detail="nothing here can find out about it")


def lengthened(network: IdealNetwork, call: Call) -> None:
    """An extension lands; if the record of a job under way shows it already, it had landed before."""
    network.timeout = max(network.timeout, call.adds_to + call.seconds)


class _UnderWay(IdealNetwork):
    def __init__(self, job: Job, remote: Remote, assumed: Assumed, now: float) -> None:
        super().__init__(assumed, remote.posted_at, remote.timeout)
        self._remote = remote
        if remote.started_at is not None:
            self._takes_at = remote.started_at
        elif self._takes_at < (remote.seen_at or remote.posted_at):
            self._takes_at = now  # it was seen in the queue for longer than was assumed: a host takes it now
        if job.stop is not None and job.stop.confirmed_at is not None:
            self.stopped_at = job.stop.confirmed_at
            if job.stop.outcome == "delisted":
                self._takes_at = max(self._takes_at, self.stopped_at + 1)
            else:
                self._takes_at = min(self._takes_at, self.stopped_at)

    @property
    def started_at(self) -> float:
        known = self._remote.started_at
        return super().started_at if known is None else known

    def _end(self) -> tuple[float, str]:
        remote = self._remote
        at, how = super()._end()
        if remote.is_over:
            # Until its result is there only the times tell how it ended.
            ended_at = remote.changed_at if remote.ended_at is None else remote.ended_at
            return ended_at, how if how == "stopped" or at <= ended_at else "finished"
        return (at, how) if how != "finished" else (max(at, remote.seen_at or at), how)

    def shown(self, now: float, job: Job) -> ev.Observed:
        shown, remote = super().shown(now, job), self._remote
        known: dict[str, Any] = {
            "node": remote.node,
            "rate_per_hour": remote.rate_per_hour,
            "result_cid": remote.result_cid,
        }
        if remote.is_over:
            known |= {"phase": remote.phase, "ended_at": remote.ended_at, "status": remote.status}
        return shown.model_copy(update={name: value for name, value in known.items() if value is not None})
