"""What happens to a simulated world from outside: credit comes and goes, markets change, entries get lost."""

import random
from typing import Any, Final

from dispatcher.simulator.conditions import Conditions
from tests.simulation.faults import Dangers
from tests.simulation.turns import Told
from tests.world import World

WEATHER: Final[list[dict[str, Any]]] = [
    {"hosts": 0},
    {"hosts": 1},
    {"queued_for": 1800.0},
    {"slow_by": 4.0},
    {"host_quits_after": 60.0, "times": 3},
    {"fails_after": 5.0, "times": 3},
    {"fails_after": 5.0},
    {"usd_per_hour": 0.09},
]


class Outside:
    """Each of these may happen at any moment of the turmoil."""

    def __init__(self, world: World, rng: random.Random, dangers: Dangers, told: Told) -> None:
        self._world, self._rng, self._dangers, self._told = world, rng, dangers, told

    def credit(self) -> None:
        """Credit arrives, or is clawed back."""
        name = self._rng.choice(list(self._dangers.accounts))
        dollars = self._rng.choice(self._dangers.credit)
        self._told("outside", f"credit {dollars}", name)
        self._world.credit(name, dollars)

    def quit_host(self) -> None:
        running = [job for job in self._world.network if job.state == 1]
        if running:
            job = self._rng.choice(running)
            self._told("outside", "host quits", job.address)
            self._world.network.quit_host(job)

    def weather(self) -> None:
        """A market is full, slow, bad or dear from now on, or as it was at first."""
        market = self._rng.choice([m for m in self._world.network.markets.values() if m.rate is not None])
        conditions = self._rng.choice([{}, {}, *WEATHER])
        self._told("outside", f"market is {conditions or 'well'}", market.address)
        self._world.network.change_market(market.address, Conditions(**conditions))

    def fair_weather(self) -> None:
        """All markets are as they were at first."""
        for address in self._world.network.markets:
            self._world.network.change_market(address, Conditions())

    def damage(self) -> None:
        """The agenda forgets a job, or puts it off for a week."""
        due = self._world.parts.store._agenda  # type: ignore[attr-defined]
        ids = sorted(due.keys())
        if not ids:
            return
        job_id, lost = self._rng.choice(ids), self._rng.random() < 0.7
        self._told("outside", "loses an agenda entry" if lost else "puts an agenda entry off", job_id)
        due.discard(job_id)
        if not lost:
            due.set(job_id, self._world.clock.at + 7 * 86400.0)
