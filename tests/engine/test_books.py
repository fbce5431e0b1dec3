"""The audit of the books: exact in a quiet system, no false alarm in a busy one, told once per change."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from dispatcher.domain.errors import NoAnswer
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.engine.advance import advance
from dispatcher.engine.books import Books, audit_books, reckon
from dispatcher.ports.ledger import GIVING_BACK, Audit, Position
from dispatcher.ports.provider import Balance
from tests.engine.audit import audit
from tests.engine.test_crashes import Tripwire, wired
from tests.engine.test_two_workers import Stalls
from tests.world import World, definition

DEFAULT = AccountName("default")
NOTHING = Decimal(0)


def spend(world: World, thousandths: int) -> None:
    """Somebody else spends from the account, or, below zero, the network takes less than it said."""
    account = world.network.accounts.of_key("nos_default")
    assert account is not None
    account.settled += thousandths


def look(world: World, **options: Any) -> tuple[Books, list[str]]:
    with capture_logs() as logs:
        found = audit_books(world.parts, DEFAULT, **options)
    return found, [line["event"] for line in logs]


def quiet(world: World) -> None:
    """All is over, and long enough ago."""
    world.run()
    for _ in range(3):
        world.clock.move(GIVING_BACK)
        audit_books(world.parts, DEFAULT)


def test_in_a_quiet_system_the_drift_is_exact_and_told_once_per_change() -> None:
    world = World()
    spend(world, 5000)
    assert look(world)[0].drift == 0
    for number in range(3):
        world.enqueue(definition(f"{number}", runs_for=f"{number + 2}m"))
    quiet(world)
    assert look(world)[0].drift == 0

    spend(world, 250)
    found, logs = look(world)
    assert (found.drift, logs) == (Decimal("0.250"), ["ledger_drift"])
    assert "somebody else spends from this account" in found.detail
    assert look(world)[1] == []
    spend(world, 10)
    assert look(world)[1] == []
    spend(world, 1)
    found, logs = look(world)
    assert (found.drift, logs) == (Decimal("0.261"), [])
    spend(world, 100)
    assert look(world)[1] == ["ledger_drift"]
    spend(world, -361)
    found, logs = look(world)
    assert (found.drift, logs) == (0, ["ledger_drift_over"])
    view = world.parts.ledger.view(DEFAULT)
    assert view.audit is not None
    assert (view.audit.drift, view.audit.detail) == (0, found.detail)


def test_what_was_counted_too_much_is_a_drift_too() -> None:
    world = World()
    world.enqueue(definition(runs_for="5m"))
    look(world)
    quiet(world)
    spend(world, -3)
    assert look(world)[1] == []
    spend(world, -20)
    found, logs = look(world)

    assert (found.drift, logs) == (Decimal("-0.023"), ["ledger_drift"])
    assert "less was taken than was counted here" in found.detail


def test_what_is_accepted_is_the_new_baseline() -> None:
    world = World()
    look(world)
    spend(world, 500)
    assert look(world)[0].drift == Decimal("0.5")
    found, logs = look(world, accept=True)
    assert (found.drift, found.balanced, logs) == (0, True, [])
    assert look(world)[0].drift == 0
    spend(world, 30)
    assert look(world)[0].drift == Decimal("0.030")


def test_a_baseline_that_was_noted_in_a_busy_moment_is_no_drift_later() -> None:
    """At the first audit one job had ended on the network, unseen, and the call of another was under way."""
    world = World()
    ended = world.enqueue(
        definition("1", runs_for="1m"), timeout="1h", policies={"poll": {"every": "1h", "at_most": "1h"}}
    )
    world.run_for(600)
    world.enqueue(definition("2", runs_for="10m"))
    plain, seen = world.parts, list[Books]()
    world.parts = replace(
        plain, providers=Stalls(plain, "post", lambda: seen.append(audit_books(plain, DEFAULT)))
    )
    world.work()
    world.parts = plain
    assert len(seen) == 1
    assert not world.job(ended).state.is_final
    quiet(world)

    assert look(world)[0].drift == 0
    spend(world, 20)
    assert look(world)[0].drift == Decimal("0.020")


@pytest.mark.parametrize("seed", range(6))
def test_a_busy_system_raises_no_false_alarm_and_finds_what_is_wrong_once_quiet(seed: int) -> None:
    rng = random.Random(seed)
    faults = [
        {"route": "*", "kind": "lose_answer", "probability": 0.15},
        {"route": "jobs.list", "kind": "in_progress", "seconds": 20, "probability": 0.2},
    ]
    world = World(faults=faults if seed % 2 else [])
    jobs: list[JobId] = []
    with capture_logs() as logs:
        for number in range(120):
            if rng.random() < 0.5:
                policies = {"extend": {"by": "5m", "max_times": 2}} if rng.random() < 0.5 else {}
                runs_for = f"{rng.randint(1, 20)}m"
                jobs.append(world.enqueue(definition(f"{number}", runs_for=runs_for), policies=policies))
            if jobs and rng.random() < 0.1:
                world.stop(rng.choice(jobs))
            world.run_for(rng.choice([1, 7, 60]))
            audited(world)
        world.network.faults.replace([])
        world.run()
        for _ in range(3):
            world.clock.move(GIVING_BACK)
            audited(world)
    assert [line for line in logs if line["event"].startswith("ledger_drift")] == []
    spend(world, 11)
    assert look(world)[0].drift == Decimal("0.011")
    spend(world, -11)
    audit(world)


def audited(world: World) -> None:
    """The network's answer may get lost; what comes is right."""
    with suppress(NoAnswer):
        assert audit_books(world.parts, DEFAULT).drift == 0


def test_a_large_stranger_is_seen_in_a_busy_system_too() -> None:
    world = World()
    look(world)
    for number in range(5):
        world.enqueue(definition(f"{number}", runs_for="50m"), timeout="1h")
    world.run_for(120)
    spend(world, 500)
    found, logs = look(world)

    assert logs == ["ledger_drift"]
    assert Decimal("0.2") < found.drift <= Decimal("0.5")
    world.run_for(600)
    assert look(world)[1] == []
    quiet(world)
    assert look(world)[0].drift == Decimal("0.5")


class Inside(Tripwire):
    """Lets something happen before and after one kind of call, but not while it happens."""

    def __init__(self, names: tuple[str, ...], happens: Callable[[], Any]) -> None:
        super().__init__()
        self._names, self._happens, self._busy = names, happens, False

    def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
        if self._busy or name not in self._names:
            return call()
        self._happen()
        answer = call()
        self._happen()
        return answer

    def _happen(self) -> None:
        self._busy = True
        self._happens()
        self._busy = False


@pytest.mark.parametrize("balance_first", [True, False], ids=["asked before", "asked after"])
def test_no_moment_between_a_calls_steps_looks_like_drift(balance_first: bool) -> None:
    """Looked at around every call of a worker; or a worker works on around every step of an audit."""
    world = World()
    look(world)
    plain = world.parts
    jobs = [
        world.enqueue(definition(f"{n}", runs_for=f"{n}m"), policies={"extend": {"by": "5m"}})
        for n in range(1, 16, 3)
    ]
    with capture_logs() as logs:
        if balance_first:

            def work_on() -> None:
                jobs.append(world.enqueue(definition(f"new {len(jobs)}", runs_for="1m")))
                world.clock.move(25)
                for job_id in jobs[-12:] + jobs[:5]:
                    advance(plain, job_id)

            steps = (
                "network.balance",
                "ledger.marker",
                "ledger.put_balance",
                "ledger.view",
                "ledger.position",
            )
            parts = wired(plain, Inside(steps, work_on))
            for _ in range(40):
                assert audit_books(parts, DEFAULT).drift == 0
        else:
            calls = ("network.post", "network.extend", "ledger.hold", "ledger.confirm", "ledger.settle")
            world.parts = wired(plain, Inside(calls, lambda: audit_books(plain, DEFAULT)))
            world.run()
            world.parts = plain
        quiet(world)
    assert [line for line in logs if line["event"].startswith("ledger_drift")] == []
    audit(world)


@pytest.mark.parametrize(
    ("step", "lives"),
    [("network.balance", False), ("ledger.put_balance", False), ("ledger.put_balance", True)],
    ids=["posted before the answer", "posted after it", "posted and over after it"],
)
def test_one_job_alone_within_an_audit_is_no_drift(step: str, lives: bool) -> None:
    world = World()
    look(world)
    job_id = world.enqueue(definition(runs_for="55m"), timeout="1h")
    plain, done = world.parts, list[str]()

    def meanwhile() -> None:
        if not done:
            done.append(step)
            advance(plain, job_id)
            if lives:
                world.run()

    assert audit_books(wired(plain, Inside((step,), meanwhile)), DEFAULT).drift == 0
    assert world.job(job_id).posts == 1
    quiet(world)
    assert look(world)[0].drift == 0


def test_of_two_audits_at_once_one_is_kept_and_told() -> None:
    world = World()
    look(world)
    spend(world, 500)
    plain, inside = world.parts, list[Books]()

    def other() -> None:
        world.clock.move(0.5)
        inside.append(audit_books(plain, DEFAULT))

    between = Inside(("ledger.jobs_with_holds",), other)
    with capture_logs() as logs:
        audit_books(wired(plain, between), DEFAULT)

    assert [line["event"] for line in logs] == ["ledger_drift"]
    assert inside[0].drift == Decimal("0.5")


def test_the_explanation_lists_what_is_known() -> None:
    world = World()
    look(world)
    done = world.enqueue(definition("1", runs_for="2m"))
    runs = [world.enqueue(definition(f"run {number}", runs_for="50m"), timeout="1h") for number in range(12)]
    world.run_for(1200)
    assert world.job(done).state.is_final
    detail = look(world)[0].detail

    assert "$0.576 reserved and $0.002 settled" in detail
    assert "1 jobs were settled for $0.002" in detail
    assert f"{runs[0]} $0.048" in detail
    assert "and 2 more" in detail


def position(before: Audit | None = None, *, network: str = "0", **figures: str) -> Position:
    amounts = {
        name: Decimal(figures.get(name, 0))
        for name in ("shown", "unshown", "open", "tails", "settled", "returning")
    }
    balance = Balance(Decimal(100), NOTHING, Decimal(network))
    return Position(balance=balance, **amounts, settlements=0, jobs=0, audit=before)


@pytest.mark.parametrize(
    ("figures", "lowest", "highest"),
    [
        ({"network": "5"}, "5", "5"),
        ({"network": "5", "settled": "3"}, "2", "2"),
        ({"network": "5", "shown": "3"}, "2", "5"),
        ({"network": "5", "open": "3"}, "2", "5"),
        ({"network": "5", "unshown": "3"}, "2", "5"),
        ({"network": "5", "settled": "3", "tails": "3"}, "2", "5"),
        ({"network": "5", "settled": "1", "returning": "2"}, "2", "4"),
    ],
)
def test_the_bounds_are_as_wide_as_what_is_under_way(
    figures: dict[str, str], lowest: str, highest: str
) -> None:
    found = reckon(position(**figures), [], 0)

    assert (found.lowest, found.highest, found.drift) == (Decimal(lowest), Decimal(highest), 0)


def test_the_baseline_narrows_and_the_drift_stays_while_it_may() -> None:
    first = reckon(position(network="5", shown="3"), [], 0)
    second = reckon(position(first, network="5", shown="1"), [], 1)
    assert (second.lowest, second.highest) == (4, 5)
    beyond = reckon(position(second, network="7", open="1"), [], 2)
    assert (beyond.drift, beyond.lowest, beyond.highest) == (1, 4, 5)
    wider = reckon(position(beyond, network="9", open="6"), [], 3)
    assert wider.drift == 1
    below = reckon(position(wider, network="1"), [], 4)
    assert below.drift == -3
    assert reckon(position(below, network="4.5"), [], 5).drift == 0
