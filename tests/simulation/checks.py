"""What must hold once everything has settled: the dispatcher's records against the network's own books."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from dispatcher.domain.events import (
    AttemptEnded,
    CallIntended,
    CallNotFound,
    CallRefused,
    CallShort,
    CallUndone,
    Enqueued,
    Extended,
    PoliciesChanged,
    StopOrdered,
)
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.job import Job
from dispatcher.domain.request import JobRequest
from dispatcher.domain.words import Operation, Reason, State
from dispatcher.simulator.jobs import End
from dispatcher.simulator.jobs import Job as Remote
from dispatcher.simulator.ledger import key_root
from tests.observer import owner
from tests.simulation.world import WAITS, Simulation


def check(simulation: Simulation) -> list[str]:
    """Everything that is wrong, in words."""
    return list(_wrong(simulation))


def _wrong(simulation: Simulation) -> Iterator[str]:
    world = simulation.world
    jobs = world.parts.store.list_jobs(limit=100_000)
    remotes: defaultdict[str, list[Remote]] = defaultdict(list)
    for remote in world.network:
        remotes[owner(world.network, remote) or "nobody"].append(remote)
    yield from _intake(simulation, jobs)
    yield from (f"a duplicate: {duplicate}" for duplicate in world.network.ledger.duplicates)
    yield from (f"job {job_id} on the network is nobody's" for job_id in set(remotes) - {j.id for j in jobs})
    for job in jobs:
        for fault in _of_job(simulation, job, remotes[job.id]):
            yield f"{job.id} ({job.state}, {job.reason}): {fault}"
    yield from _money(simulation, jobs)


def _intake(simulation: Simulation, jobs: list[Job]) -> Iterator[str]:
    """Every accepted request has exactly one job."""
    ids = {job.id for job in jobs}
    by_request: defaultdict[str, set[JobId]] = defaultdict(set)
    for job in jobs:
        if job.spec.request_id is not None:
            by_request[job.spec.request_id].add(job.id)
    for request in simulation.asked:
        if request.request_id is None:
            continue
        found = by_request[request.request_id]
        if not found and _is_barred(request, by_request, {job.id: job for job in jobs}):
            continue
        if len(found) != 1 or simulation.accepted.get(request.request_id) != found:
            yield f"{request.request_id} has the jobs {sorted(found)}"
    yield from (
        f"{job_id} was accepted and is not there" for job_id in simulation.anonymous if job_id not in ids
    )


def _is_barred(request: JobRequest, known: Mapping[str, set[JobId]], jobs: Mapping[JobId, Job]) -> bool:
    """Whether it comes after a job that was never asked for, or that ended so that this one would never begin."""
    for upstream in request.after:
        before = [jobs[job_id] for job_id in known.get(str(upstream.request_id), ())]
        if not before:
            return True
        if upstream.on == "success" and all(job.state.is_final for job in before):
            return all(job.state is not State.COMPLETED for job in before)
    return False


def _most(simulation: Simulation, job: Job) -> Decimal | None:
    """The cap on all its attempts together, the highest of those that it was ever under; read from the fields."""
    caps: list[Decimal | None] = []
    for event in simulation.world.parts.store.events(job.id):
        match event:
            case Enqueued():
                policies = event.spec.policies
            case PoliciesChanged():
                policies = event.policies
            case _:
                continue
        given = [policies.stop.max_cost, policies.extend.max_cost if policies.extend else None]
        caps.append(min((cap for cap in given if cap is not None), default=None))
    return None if None in caps else max(cap for cap in caps if cap is not None)


def _of_job(simulation: Simulation, job: Job, remotes: list[Remote]) -> Iterator[str]:
    world = simulation.world
    there, known = [remote.address for remote in remotes], _addresses(job)
    if there != known:
        yield f"is on the network as {there}, and knows of {known}"
    try:
        world.check_log(job.id)
    except AssertionError as e:
        yield f"its log does not lead to its record: {str(e).splitlines()[0]}"
    most = _most(simulation, job)
    if most is not None:
        most += simulation.watch.beyond.get(job.id, Decimal(0))
    if most is not None and job.spend.posted + job.spend.earlier > most:
        yield f"posted {job.spend.posted} after {job.spend.earlier} of at most {most}"
    before = Decimal(0)
    for remote in remotes:
        if most is not None and before + Decimal(remote.reserved) / 1000 > most:
            yield f"the network reserved {remote.reserved} after {before} of at most {most}"
        before += Decimal(remote.settled or 0) / 1000
    if not job.state.is_final:
        yield from _waits(simulation, job)
        return
    yield from (f"{remote.address} is alive" for remote in remotes if not remote.over)
    if world.parts.store.next_due(job.id) is not None:
        yield "is over, and due"
    yield from _extensions(simulation, job, remotes)
    yield from _ending(job, remotes)
    for name in simulation.names:
        held = simulation.books_of(AccountName(name)).of_job.get(job.id)
        if held:
            yield f"is over, and holds {held} of {name}"
    settled = sum((Decimal(remote.settled or 0) / 1000 for remote in remotes), Decimal(0))
    if job.spend.settled != settled:
        yield f"settled {job.spend.settled}, the network {settled}"
    asked = simulation.books.stops.get(job.id)
    late = None if asked is None else max(asked, simulation.peace_at) + 900
    if late is not None and job.stop is None and any(remote.ended_at > late for remote in remotes):
        yield f"a stop was asked for at {asked}, and never ordered"


def _addresses(job: Job) -> list[str]:
    """Where the job was on the network, attempt by attempt, as its record has it."""
    found = [attempt.address for attempt in job.earlier]
    if job.remote is not None:
        found.append(job.remote.address)
    return [address for address in found if address is not None]


def _waits(simulation: Simulation, job: Job) -> Iterator[str]:
    """Only want of credit, or of room in a budget, is a reason not to be over."""
    if simulation.world.parts.store.next_due(job.id) is None:
        yield "is not over, and never due"
    if job.wait is None or job.wait.reason not in WAITS:
        yield "is not over, and waits neither for credit nor for a budget nor for another job"
    elif job.wait.reason is Reason.AWAITING_JOBS:
        before = [simulation.world.parts.store.load(upstream.job) for upstream in job.spec.after]
        if all(each is None or each.state.is_final for each in before):
            yield f"waits for {[upstream.job for upstream in job.spec.after]}, which are over"
    elif job.wait.reason is Reason.AWAITING_BUDGET:
        uses = simulation.world.parts.ledger.budgets(now=simulation.clock.at)
        left = min((use.left for use in uses if use.budget.scope == job.wait.scope), default=None)
        if left is None or job.wait.short_usd is None or job.wait.short_usd <= left:
            yield f"waits for {job.wait.short_usd} of {job.wait.scope}, of which {left} is left"
    elif job.wait.short_usd is None or job.wait.short_usd <= _left(simulation, job.account):
        yield f"waits for {job.wait.short_usd}, and {_left(simulation, job.account)} is there"


def _left(simulation: Simulation, account: AccountName) -> Decimal:
    """What the network has, but for what jobs that wait for their next attempt were left by the last one."""
    kept = sum(hold.amount for hold in simulation.books_of(account).holds.values() if hold.stamp is None)
    return simulation.available(account) - Decimal(kept) / 1_000_000


def _extensions(simulation: Simulation, job: Job, remotes: list[Remote]) -> Iterator[str]:
    """Landed and counted are the same, but for what was under way when the job was stopped or ended."""
    landed = {key_root(r.key) for remote in remotes for r in remote.reservations if r.kind == "extend"}
    counted, under_way, stopped, stopped_by = set(), set(), False, ""
    for event in simulation.world.parts.store.events(job.id):
        match event:
            case StopOrdered():
                stopped, stopped_by = True, event.by
            case CallIntended() if event.call.operation is Operation.EXTEND:
                if stopped:
                    yield f"{event.call.key} was begun after the stop was ordered"
                under_way.add(key_root(event.call.key))
            case AttemptEnded():
                if stopped_by != "policy" and stopped:
                    yield "is tried again, though a person stopped it"
                stopped = False
            case Extended():
                under_way.discard(key_root(event.key))
                if event.landed:
                    counted.add(key_root(event.key))
            case CallRefused() | CallShort() | CallUndone() | CallNotFound():
                under_way.discard(key_root(event.key))
            case _:
                pass
    extends = job.extends + sum(attempt.extends for attempt in job.earlier)
    if len(counted) != extends:
        yield f"counts {extends} extensions, its log {len(counted)}"
    if not simulation.dangers.keyed:
        times = sum(r.kind == "extend" for remote in remotes for r in remote.reservations)
        if not len(counted) <= times <= len(counted | under_way):
            yield f"extensions landed: {times}, counted: {sorted(map(str, counted))}"
    elif not counted <= landed or not landed <= counted | under_way:
        yield f"extensions landed: {sorted(map(str, landed))}, counted: {sorted(map(str, counted))}"


def _ending(job: Job, remotes: list[Remote]) -> Iterator[str]:
    """The end that is told is the end that was."""
    last = remotes[-1] if remotes and job.remote is not None else None
    end = last.end if last is not None else None
    code = last.exit_code if last is not None else None
    match job.state, job.reason:
        case State.COMPLETED, _ if (end, code) != (End.FINISHED, 0):
            yield f"did not complete: {end}, exit code {code}"
        case State.REJECTED, _ if last is not None:
            yield f"ran all the same: {end}"
        case State.FAILED, Reason.VANISHED:
            yield f"did not vanish: {end}"
        case State.FAILED, Reason.HOST_QUIT if end is not End.HOST_QUIT:
            yield f"no host quit: {end}"
        case State.FAILED, Reason.EXIT_CODE if end is not End.FINISHED or code == 0:
            yield f"did not fail: {end}, exit code {code}"
        case State.STOPPED, Reason.STOPPED_ELSEWHERE:
            yield f"nobody else stopped it: {end}"
        case State.STOPPED, Reason.TIMED_OUT | Reason.MAX_RUNTIME | Reason.MAX_EXTENDS if (
            end is not End.EXPIRED
        ):
            yield f"did not time out: {end}"
        case _:
            pass


def _money(simulation: Simulation, jobs: list[Job]) -> Iterator[str]:
    world = simulation.world
    for name in simulation.names:
        account = world.network.accounts.of_key(f"nos_{name}")
        assert account is not None
        view = world.parts.ledger.view(AccountName(name))
        if all(job.state.is_final for job in jobs) and (view.held or account.reserved):
            yield f"{name}: all is over, and {view.held} is held, {account.reserved} reserved"
        if view.settled * 1000 != account.settled:
            yield f"{name}: settled {view.settled}, the network {account.settled}"
        if not simulation.dangers.claws_back and account.available < 0:
            yield f"{name}: {account.available} available"
    if not simulation.dangers.claws_back:
        short = {route: n for (route, status), n in world.network.ledger.statuses.items() if status == "402"}
        if short:
            yield f"credit was held, and the network had too little: {short}"
    for scope, limit in simulation.watch.limits.items():
        if (spent := simulation.watch.spent(scope)) > limit:
            yield f"{scope} has spent {spent} of {limit}"
