"""What must be true of a world in the end, by the network's own books and not by the dispatcher's word."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from dispatcher.domain.events import Enqueued, PoliciesChanged
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.policies import Policies
from dispatcher.domain.words import Operation
from dispatcher.simulator.jobs import End
from dispatcher.simulator.jobs import Job as Remote
from tests.world import World

_CLOSED = {"call_refused", "call_short", "call_undone", "call_not_found"}


def usd(thousandths: int | None) -> Decimal:
    """The network counts thousandths of a dollar."""
    return Decimal(thousandths or 0) / 1000


def remotes(world: World, job_id: JobId) -> list[Remote]:
    """The network's jobs that were posted for this one: by their key, or where there are none by the stamp."""
    world.network.advance()
    mine = world.job(job_id)
    return [
        job
        for job in world.network.jobs.values()
        if (job.key or "").startswith(f"{job_id}:") or (mine.stamped and job.cid == mine.cid)
    ]


def audit(world: World) -> None:
    """Every job is over, each of its attempts was posted and paid once; both ledgers agree; nothing is left behind."""
    live = [f"{job.id} {job.state} {job.reason}" for job in world.live()]
    assert not live, live
    assert not world.network.ledger.duplicates, world.network.ledger.duplicates
    for job in world.parts.store.list_jobs(limit=10_000):
        audit_job(world, job.id)
        assert world.parts.store.next_due(job.id) is None
    for name in world.parts.providers.names():
        audit_account(world, name)
    assert world.parts.store.waiting_lines() == []


def audit_job(world: World, job_id: JobId) -> None:
    """One job against what the network has of it."""
    job, there = world.job(job_id), remotes(world, job_id)
    world.check_log(job_id)
    known = [attempt.address for attempt in job.earlier if attempt.address is not None]
    known += [job.remote.address] if job.remote is not None else []
    assert [remote.address for remote in there] == known, there
    audit_copies(world, job, there)
    if not there:
        assert job.spend.settled == 0
    if job.remote is None:
        return
    remote = there[-1]
    landed = sum(reservation.kind == "extend" for reservation in remote.reservations)
    if landed != job.extends:
        # The one whose answer had not come when the job ended, or was stopped.
        assert landed == job.extends + 1
        assert last_call(world, job_id, Operation.EXTEND) == "undecided"
    else:
        assert job.spend.posted == usd(remote.reserved), (job.spend, remote.reserved)
        settled = usd(sum(each.settled or 0 for each in there))
        assert job.spend.settled == settled, (job.spend, settled)
    lengths = [policies.max_runtime() for policies in ever(world, job)]
    assert None in lengths or remote.timeout <= max(length for length in lengths if length is not None)


def ever(world: World, job: Job) -> list[Policies]:
    """All policies that the job was under: what was changed under way forbids nothing that was paid before."""
    log = world.parts.store.events(job.id)
    found = [event.spec.policies for event in log if isinstance(event, Enqueued)]
    return [
        *found,
        *(event.policies for event in log if isinstance(event, PoliciesChanged)),
        job.spec.policies,
    ]


def audit_copies(world: World, job: Job, there: Sequence[Remote]) -> None:
    """One attempt after the other, each over before the next is listed, paid by its own account, within the cap."""
    costs = [policies.max_cost() for policies in ever(world, job)]
    most = None if None in costs else max(cost for cost in costs if cost is not None)
    before = Decimal(0)
    for remote in there:
        assert remote.over, remote
        assert most is None or before + usd(remote.reserved) <= most, (before, remote.reserved)
        before += usd(remote.settled)
    for remote, following in pairwise(there):
        assert over_at(remote) <= following.listed_at, (remote, following)
    posted = [attempt for attempt in job.earlier if attempt.address is not None]
    for attempt, remote in zip(posted, there, strict=False):
        assert remote.account is world.network.accounts.of_key(f"nos_{attempt.account}")
        assert attempt.cost == usd(remote.settled), (attempt, remote.settled)
    if job.remote is not None:
        assert there[-1].account is world.network.accounts.of_key(f"nos_{job.account}")


def over_at(remote: Remote) -> float:
    """When it was over on the network."""
    return remote.delisted_at if remote.end is End.DELISTED else remote.ended_at


def audit_account(world: World, name: AccountName) -> None:
    """Nothing is held or reserved, and what jobs cost is what the network took."""
    account = world.network.accounts.of_key(f"nos_{name}")
    assert account is not None
    view = world.parts.ledger.view(name)
    assert account.reserved == 0, account.reserved
    assert view.held == 0, view.held
    assert view.unseen >= 0
    assert view.settled == usd(account.settled), (view.settled, account.settled)


def last_call(world: World, job_id: JobId, operation: Operation) -> str:
    """What became of the last call of this kind, as the log has it: `undecided` if no answer decided it."""
    became = "never made"
    for event in world.parts.store.events(job_id):
        if event.kind == "call_intended" and event.call.operation is operation:
            became = "undecided"
        elif event.kind in {"posted", "extended", "stop_confirmed"}:
            if event.key.split(":")[1] == operation:
                became = event.kind
        elif event.kind in _CLOSED and event.operation is operation:
            became = event.kind
    return became
