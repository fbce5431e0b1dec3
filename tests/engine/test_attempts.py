"""One job, several attempts: what follows an end, where, and never two copies that are paid."""

from decimal import Decimal
from typing import Any

from dispatcher.domain.ids import AccountName
from dispatcher.domain.job import Job
from tests.world import World

RATE = Decimal("0.04796")
DEFAULT, SPARE = AccountName("default"), AccountName("spare")
OTHER = "nvidia-4090"


def retry(*on: str, **more: Any) -> dict[str, Any]:
    return {"kind": "retry", "on": list(on), "backoff": "10s", **more}


def at_rest(world: World, *accounts: AccountName) -> None:
    """Nothing runs, nothing is held, and the books agree with the network."""
    assert all(remote.over for remote in world.network.jobs.values())
    for name in accounts or (DEFAULT,):
        view, balance = world.parts.ledger.view(name), world.parts.providers.account(name).balance()
        assert (view.held, balance.reserved) == (0, 0)
        assert view.settled == balance.settled


def costs_of(job: Job) -> list[Decimal]:
    return [attempt.cost for attempt in job.earlier]
