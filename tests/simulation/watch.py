"""What must hold whenever a job is listed: what it comes after is over, and no label has spent more than it may."""

from decimal import Decimal

from dispatcher.domain.budget import Window, parse_budget, scopes_of
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import State
from dispatcher.simulator.jobs import Job as Remote
from tests.observer import Observer
from tests.simulation.story import Story
from tests.simulation.turns import Told
from tests.world import World


class Watch:
    """`limits` are the highest that ever held, of budgets in total; `beyond` is what jobs cost more than was quoted."""

    def __init__(self, world: World, story: Story, told: Told) -> None:
        self._world, self._story, self._told = world, story, told
        self.observer = Observer(world.network, self.listed)
        self.limits: dict[str, Decimal] = {}
        self.beyond: dict[JobId, Decimal] = {}

    def allow(self, scope: str, limit: str) -> None:
        """A budget; what was allowed once may have been spent."""
        budget = parse_budget(scope, limit)
        self._world.parts.ledger.set_budget(budget, now=self._world.clock.at)
        if budget.window is Window.TOTAL:
            self.limits[scope] = max(budget.limit, self.limits.get(scope, Decimal(0)))

    def listed(self, job_id: JobId, remote: Remote) -> None:
        """A job was listed just now."""
        self._told("network", "lists", f"{job_id} {remote.address}")
        job = self._world.parts.store.load(job_id)
        if job is not None and job.quote is not None:
            # The price rose between the quote and the landing: nobody is told before it is reserved.
            beyond = Decimal(remote.reserved) / 1000 - job.quote.amount
            self.beyond[job_id] = self.beyond.get(job_id, Decimal(0)) + max(beyond, Decimal(0))
        for upstream in () if job is None else job.spec.after:
            before = self._world.parts.store.load(upstream.job)
            alive = any(not each.over for each in self.observer.of[upstream.job])
            fit = before is not None and (before.state is State.COMPLETED or upstream.on == "any")
            if before is None or not before.state.is_final or alive or not fit:
                self._story.wrong.append(f"{job_id} is listed, and comes after {upstream.job}")
        for scope, limit in self.limits.items():
            if (spent := self.spent(scope)) > limit:
                self._story.wrong.append(f"{job_id} is listed, and {scope} has spent {spent} of {limit}")

    def spent(self, scope: str) -> Decimal:
        """What the network has reserved, or settled, for the jobs of a label, at the prices that it had shown."""
        total = Decimal(0)
        for job in self._world.parts.store.list_jobs(limit=100_000):
            if scope in scopes_of(job.spec, job.account):
                paid = sum(
                    remote.reserved if remote.settled is None else remote.settled
                    for remote in self.observer.of[job.id]
                )
                total += max(Decimal(paid) / 1000 - self.beyond.get(job.id, Decimal(0)), Decimal(0))
        return total
