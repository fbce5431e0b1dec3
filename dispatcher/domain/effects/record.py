"""Parts of the record that several events need."""

from decimal import Decimal

from dispatcher.domain.errors import Bug
from dispatcher.domain.job import Call, Job, Remote, Spend, StopOrder
from dispatcher.domain.words import Phase, Reason


def looked_at_afresh(remote: Remote) -> Remote:
    """Something was asked of the network: it is looked at often again, however long nothing had changed."""
    return remote.model_copy(update={"unchanged_looks": 0})


def reserved(job: Job, amount: Decimal) -> Spend:
    return job.spend.model_copy(update={"posted": job.spend.posted + amount})


def alive(job: Job) -> Reason:
    if job.stop is not None:
        return Reason.STOP_REQUESTED
    return Reason.RUNNING if on_network(job).phase is Phase.RUNNING else Reason.AWAITING_HOST


def open_call(job: Job, key: str) -> Call:
    if job.call is None or job.call.key != key:
        raise Bug(f"no call of {job.id} is open under the key {key}")
    return job.call


def on_network(job: Job) -> Remote:
    if job.remote is None:
        raise Bug(f"{job.id} is not on the network")
    return job.remote


def stop_order(job: Job) -> StopOrder:
    if job.stop is None:
        raise Bug(f"nobody asked to stop {job.id}")
    return job.stop
