"""A thousand extensions of one job, each call of which takes 5 s: the margin that is left does not shrink.

The margin is what lies between the moment at which an extension is known to have landed and the deadline that the
network had the job under until then, by the network's own books.
"""

from itertools import accumulate
from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.words import Reason, State
from dispatcher.simulator.network import Options
from tests.engine.audit import audit_account, remotes, usd
from tests.world import World, definition

LATENCY = 5.0
CYCLES = 1000
STEP = 300
MARGIN = 120.0

POLICIES: dict[str, tuple[dict[str, Any], str]] = {
    "extend": ({"extend": {"by": "5m", "margin": "2m"}}, "5m"),
    "quantum": ({"quantum": {"step": "5m", "margin": "2m"}}, f"{(CYCLES + 1) * STEP}s"),
    "both": ({"quantum": {"step": "5m", "margin": "2m"}, "extend": {"by": "1h"}}, "1h"),
}
LOST: list[dict[str, Any]] = [
    {"route": "jobs.extend", "kind": "lose_answer", "probability": 0.03},
    {"route": "jobs.get", "kind": "cut", "probability": 0.03},
]


def lived(name: str, **how: Any) -> tuple[World, list[float], list[bool]]:
    """The margin of each extension, and whether its answer came at the first try."""
    policies, timeout = POLICIES[name]
    options = Options(index_lags=how.pop("lags", 0.0), generation=how.pop("generation", 3))
    world = World(latency=LATENCY, options=options, **how)
    slow_looks = {"poll": {"every": "30s", "backoff": 10, "at_most": "4m"}}
    runs_for = f"{CYCLES * STEP + STEP - 30}s"
    job_id = world.enqueue(
        definition(runs_for=runs_for, queued_for="1s"), timeout=timeout, policies={**policies, **slow_looks}
    )
    world.run(at_most=30 * 86400.0)
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.COMPLETED, Reason.FINISHED)
    happened = [event for _, event in world.recorder.seen]
    again = {event.key for event in happened if isinstance(event, ev.CallUndecided)}
    landed = [event for event in happened if isinstance(event, ev.Extended) and event.landed]
    (remote,) = remotes(world, job_id)
    # The network's own books: what each deadline was before the extension that moved it.
    paid = [reservation.seconds for reservation in remote.reservations]
    deadlines = [remote.time_start + seconds for seconds in accumulate(paid)]
    assert len(landed) == len(paid) - 1 == job.extends, "every extension that landed is counted once"
    audit_account(world, job.account)
    assert job.spend.settled == usd(remote.settled)
    margins = [deadline - event.at for deadline, event in zip(deadlines, landed, strict=False)]
    return world, margins, [event.key not in again for event in landed]


@pytest.mark.parametrize("name", ["extend", "quantum"])
def test_a_thousand_extensions_leave_the_same_margin(name: str) -> None:
    world, margins, _ = lived(name)
    told = f"first {margins[:10]}, last {margins[-10:]}"
    assert len(margins) >= CYCLES, len(margins)
    # One call to ask the balance, one to extend; and a look may have been under way when the time came.
    assert min(margins) >= MARGIN - 3 * LATENCY, told
    assert max(margins) <= MARGIN - LATENCY, told
    assert abs(sum(margins[:10]) - sum(margins[-10:])) <= 10 * LATENCY, told
    assert world.network.ledger.total < 7 * CYCLES


@pytest.mark.parametrize(("name", "generation"), [("both", 3), ("extend", 2)])
def test_lost_answers_and_a_late_index_cost_a_part_of_the_margin_once_each(
    name: str, generation: int
) -> None:
    _, margins, at_once = lived(name, lags=20.0, faults=LOST, generation=generation)
    plain = [margin for margin, sent_once in zip(margins, at_once, strict=True) if sent_once]
    lost = len(margins) - len(plain)
    told = f"{lost} of {len(margins)} answers were lost; first {plain[:10]}, last {plain[-10:]}"
    assert 10 < lost < CYCLES / 10, told
    assert min(margins) > 0, f"the deadline was near: {min(margins)}; {told}"
    assert min(plain) >= MARGIN - 3 * LATENCY, told
    assert max(plain) <= MARGIN - LATENCY, told
    assert abs(sum(plain[:10]) - sum(plain[-10:])) <= 10 * LATENCY, told
