"""What operators do to a simulated world, at any moment."""

from typing import TYPE_CHECKING, Any

from dispatcher.domain.ids import JobId
from dispatcher.engine import operate
from dispatcher.engine.budgets import wake_within_budgets
from dispatcher.engine.changing import change_policies
from dispatcher.engine.parts import Parts
from tests.simulation.requests import draw_change

if TYPE_CHECKING:
    from tests.simulation.world import Simulation


class Operators:
    """They stop, extend, change policies and raise budgets."""

    def __init__(self, simulation: "Simulation") -> None:
        self._sim, self._rng = simulation, simulation.rng

    def operate(self) -> None:
        """An operator stops a job or extends it; or two of them do both at once."""
        if not self._sim.known:
            return
        job_id = self._rng.choice(self._sim.known)
        acts = [self._stop] if self._rng.random() < self._sim.dangers.stops else [self._extend]
        if self._rng.random() < 0.3:
            acts = self._rng.sample([self._stop, self._extend], 2)
        for act in acts:
            act(self._sim.workers[self._rng.choice(list(self._sim.workers))], job_id)

    def _stop(self, parts: Parts, job_id: JobId) -> None:
        self._sim.start(
            "operator", f"stop {job_id[-2:]}", lambda: operate.stop(parts, job_id, by="them"), _nothing
        )

    def _extend(self, parts: Parts, job_id: JobId) -> None:
        seconds, name = self._rng.choice([60, 300, 900]), f"extend {job_id[-2:]}"
        self._sim.start("operator", name, lambda: operate.extend(parts, job_id, seconds, by="them"), _nothing)

    def change_policies(self) -> None:
        """An operator lays something upon the policies of a job."""
        if not self._sim.known:
            return
        job_id, part = self._rng.choice(self._sim.known), draw_change(self._rng)
        parts = self._sim.workers[self._rng.choice(list(self._sim.workers))]
        name = f"changes {job_id[-2:]} {part}"
        self._sim.start("operator", name, lambda: change_policies(parts, job_id, part, by="them"), _nothing)

    def raise_budget(self) -> None:
        """A label may spend more (or, in a day, less) from now on."""
        scope = self._rng.choice(list(self._sim.dangers.budgets))
        limit = (
            f"{self._rng.choice(['0.05', '0.2', '1'])}/{self._sim.dangers.budgets[scope].partition('/')[2]}"
        )
        parts = self._sim.workers[self._rng.choice(list(self._sim.workers))]
        self._sim.watch.allow(scope, limit.removesuffix("/"))
        self._sim.start("operator", f"allows {scope} {limit}", lambda: wake_within_budgets(parts), _nothing)


def _nothing(_: Any) -> None:
    """Nobody waits for this turn's answer."""
