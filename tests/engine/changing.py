"""Policies are changed: what the tests of that ask, break and look at."""

from collections.abc import Callable
from typing import Any

from dispatcher.domain.changing import Change
from dispatcher.domain.events import PoliciesChanged
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.engine.changing import change_policies
from dispatcher.simulator.fault_plan import parse_plan
from tests.world import World, definition

DEFAULT = AccountName("default")


def ask(world: World, job_id: JobId, by: str = "ada", **patch: Any) -> Change:
    return change_policies(world.parts, job_id, patch, by=by)


def changes(world: World, job_id: JobId) -> list[tuple[str, ...]]:
    log = world.parts.store.events(job_id)
    return [event.changed for event in log if isinstance(event, PoliciesChanged)]


def breaks(route: str, kind: str = "cut") -> Callable[[World], None]:
    return lambda world: world.network.faults.replace(parse_plan([{"route": route, "kind": kind}]))


def frozen(world: World) -> None:
    world.parts.ledger.freeze(DEFAULT, "odd", by="ada", now=world.clock.now())


LONG = definition(runs_for="10h")
