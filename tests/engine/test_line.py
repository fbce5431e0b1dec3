"""Those who wait for credit are served in their order: nobody who comes later takes it away from them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.ids import JobId
from dispatcher.domain.words import Reason, State
from dispatcher.engine.advance import advance
from dispatcher.engine.credit import watch_credit
from tests.engine.audit import audit
from tests.engine.test_crashes import Tripwire, wired
from tests.world import World, definition

FIVE = Decimal("0.004")


def job(world: World, text: str, **fields: Any) -> JobId:
    return world.enqueue(definition(text, runs_for="5m"), **{"timeout": "5m", **fields})


def waiting_world(*priorities: int) -> tuple[World, list[JobId]]:
    """Jobs that wait for the credit of an account that has none."""
    world = World(accounts={"default": "0"})
    waiting = [job(world, f"waits {number}", priority=p) for number, p in enumerate(priorities)]
    world.run_for(1)
    world.bell.rung.clear()
    return world, waiting


def posts(world: World, *job_ids: JobId) -> list[int]:
    return [world.job(job_id).posts for job_id in job_ids]


@pytest.mark.parametrize(
    ("priority", "credit", "first", "newcomer"),
    [
        (0, "0.004", 1, 0),
        (0, "0.007", 1, 0),
        (0, "0.008", 1, 1),
        (-5, "0.004", 1, 0),
        (5, "0.004", 0, 1),
    ],
)
def test_a_newcomer_waits_unless_both_are_paid(priority: int, credit: str, first: int, newcomer: int) -> None:
    """Credit arrives, and before the watch looks a new job comes."""
    world, (waits,) = waiting_world(0)
    world.credit("default", credit)
    new = job(world, "new", priority=priority)
    advance(world.parts, new)
    assert posts(world, new) == [newcomer]
    if not newcomer:
        wait = world.job(new).wait
        assert wait is not None
        assert (
            wait.detail == f"needs $0.004, available ${credit}, of which $0.004 is for jobs before it in line"
        )
    world.run_for(20)
    assert posts(world, waits, new) == [first, newcomer]


def test_one_that_was_woken_is_not_overtaken_before_it_holds() -> None:
    world, (waits, other) = waiting_world(0, 0)
    world.clock.move(5)
    world.credit("default", "0.004")
    assert watch_credit(world.parts) == [waits]
    new = job(world, "new")
    for each in (new, other, waits):
        advance(world.parts, each)

    assert posts(world, new, other, waits) == [0, 0, 1]


def test_between_the_hold_and_its_record_nobody_is_counted_twice() -> None:
    """The woken job has its hold, and still stands in line until that is saved; there is enough for one more."""
    world, (waits,) = waiting_world(0)
    world.clock.move(5)
    world.credit("default", "0.008")
    new = job(world, "new", policies={"credit": {"when_short": "fail"}})
    watch_credit(world.parts)
    plain = world.parts

    class Between(Tripwire):
        def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
            answer = call()
            if name == "ledger.hold":
                advance(plain, new)
            return answer

    advance(wired(plain, Between()), waits)
    assert posts(world, waits, new) == [1, 1]


def test_one_that_nothing_there_pays_for_does_not_keep_a_smaller_newcomer_waiting() -> None:
    world = World(accounts={"default": "0"})
    large = job(world, "large", timeout="10h")
    world.run_for(1)
    world.credit("default", "0.010")
    new = job(world, "new")
    world.work()

    assert posts(world, large, new) == [0, 1]


def test_extensions_of_running_jobs_never_wait_in_line() -> None:
    world = World(accounts={"default": "0.008"})
    running = world.enqueue(definition(runs_for="15m"), policies={"extend": {"by": "10m"}})
    world.run_for(60)
    waits = job(world, "waits", priority=100)
    world.run_for(1)
    remote = world.job(running).remote
    assert remote is not None
    assert remote.deadline is not None
    world.clock.at = remote.deadline - 59
    world.credit("default", "0.008")
    advance(world.parts, running)

    assert world.job(running).extend_calls == 1
    assert world.job(waits).posts == 0


def test_a_job_at_the_head_that_is_never_tried_again_does_not_close_the_line() -> None:
    """Whatever keeps it: it is off the agenda, and no worker takes it."""
    world, (dead, alive) = waiting_world(10, 0)
    world.parts.store._agenda.discard(dead)  # type: ignore[attr-defined]
    world.parts.store._jobs[dead].lease_until = 1e12  # type: ignore[attr-defined]
    world.credit("default", "0.004")
    world.run_for(3600)

    assert world.job(dead).state is State.ENQUEUED
    assert posts(world, alive) == [1]


def test_a_long_line_is_served_in_its_order_while_newcomers_come() -> None:
    world, first = waiting_world(*[number % 3 for number in range(12)])
    later: list[JobId] = []
    order: list[JobId] = []
    for number in range(40):
        later.append(job(world, f"new {number}", priority=number % 2))
        world.credit("default", "0.004")
        world.run_for(6)
        order += [each for each in (*first, *later) if world.job(each).posts and each not in order]
    spent = [world.job(each) for each in order]

    assert [each.spec.priority for each in spent[:4]] == [2, 2, 2, 2]
    ones = [each.id for each in spent if each.spec.priority == 1]
    assert ones == sorted(ones)
    assert all(each.reason is not Reason.NO_CREDIT for each in spent)
    world.credit("default", "1")
    world.run()
    audit(world)
