"""Days on which everything goes wrong at once, each from a seed: faults of the network, workers that die, a store that
loses answers, two workers on one job, slow calls, clocks that are off, operators at any moment, little credit.

Then all gets well, credit arrives, and the books must be as if nothing had happened.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from dispatcher.domain.errors import NotPossible, StoreUnavailable
from dispatcher.domain.ids import JobId
from dispatcher.engine.advance import advance
from dispatcher.engine.sweep import sweep
from tests.engine.audit import audit, remotes
from tests.engine.test_crashes import Killed, Tripwire, wired
from tests.world import FakeClock, World, definition

TROUBLES: list[Callable[[random.Random], dict[str, Any]]] = [
    lambda r: {"kind": "lose_answer"},
    lambda r: {"kind": "cut"},
    lambda r: {"kind": "slow", "seconds": r.choice([3, 15, 25])},
    lambda r: {"kind": "status", "status": r.choice([500, 502, 503]), "done": r.random() < 0.5},
    lambda r: {"kind": "rate_limit", "retry_after": r.choice([1, 20, None])},
]
KEY_TROUBLES: list[Callable[[random.Random], dict[str, Any]]] = [
    lambda r: {
        "kind": "in_progress",
        "seconds": r.choice([5, 40]),
        "outcome": r.choice(["confirmed", "expired"]),
    },
    lambda r: {"kind": "expire_key"},
]
ROUTES = [
    "*",
    "jobs.*",
    "jobs.list",
    "jobs.get",
    "jobs.extend",
    "jobs.stop",
    "credits.balance",
    "ipfs.pin",
    "ipfs.get",
]


def faults(r: random.Random) -> list[dict[str, Any]]:
    rules = []
    for _ in range(r.randint(0, 4)):
        of_keys = r.random() < 0.3
        trouble = r.choice(KEY_TROUBLES if of_keys else TROUBLES)(r)
        route = r.choice(["jobs.list", "jobs.extend", "jobs.stop"] if of_keys else ROUTES)
        rules.append({"route": route, "probability": r.choice([0.05, 0.2, 0.4]), **trouble})
    return rules


def request(r: random.Random) -> dict[str, Any]:
    """The fields of `World.enqueue` beside the definition."""
    policies: dict[str, Any] = {}
    if r.random() < 0.6:
        policies["extend"] = {"by": r.choice(["1m", "5m", "1h"])}
        policies["extend"] |= r.choice(
            [{}, {}, {"max_cost": "0.02"}, {"max_runtime": "30m"}, {"max_times": 2}]
        )
    if r.random() < 0.5:
        limits = [{"after": "15m"}, {"max_cost": "0.01"}, {"queued_longer_than": "10m"}]
        policies["stop"] = r.choice(limits)
    policies["credit"] = r.choice([{}, {}, {"when_short": "fail"}, {"wait_at_most": "30m"}])
    return {"timeout": r.choice(["1m", "5m", "10m"]), "policies": policies, "priority": r.randint(-1, 1)}


def run_of(r: random.Random) -> dict[str, Any]:
    """How the job runs on the simulated network."""
    how: dict[str, Any] = {"runs_for": r.choice(["10s", "5m", "9m50s", "25m", "2h"])}
    how |= r.choice([{}, {}, {"queued_for": "3m"}, {"queued_for": "1h"}, {"exit_code": 3}])
    return how | r.choice([{}, {}, {"host_quits_after": "3m"}, {"results_after": "40s"}])


class Gremlin(Tripwire):
    """Stands at every call that leaves the engine, and does there what it is told to, now and then."""

    def __init__(self, day: "Day", r: random.Random, mischief: str) -> None:
        super().__init__()
        self._day, self._random, self._mischief, self._depth = day, r, mischief, 0

    def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
        if self._random.random() > 0.03:
            return call()
        before = self._random.random() < 0.5
        match self._mischief:
            case "kills":
                if not before:
                    call()
                raise Killed(name)
            case "loses answers of the store" if name.startswith(("store.", "ledger.")):
                if not before:
                    call()
                raise StoreUnavailable("its answer was lost")
            case "stalls":
                self._day.clock.move(self._random.choice([1, 15, 35]) if before else 0)
                answer = call()
                self._day.clock.move(0 if before else self._random.choice([1, 15, 35]))
                return answer
            case "sends another worker" if self._depth < 2 and self._day.ids:
                self._depth += 1
                answer = None if before else call()
                self._day.clock.move(self._random.choice([0, 11, 31]))
                self._day.step(self._random.choice(self._day.ids))
                self._depth -= 1
                return call() if before else answer
        return call()


class Day(World):
    """A world in which workers die and are followed by others."""

    def __init__(self, seed: int, r: random.Random, mischief: str, **how: Any) -> None:
        credit = r.choice(["0.01", "0.03", "100"])
        super().__init__(seed=seed, faults=faults(r), **{"accounts": {"default": credit}, **how})
        self.ids: list[JobId] = []
        self._random = r
        self._skews = [0.0, -40.0, 3.0] if mischief == "has clocks that are off" else [0.0]
        self.sane = self.parts
        self.parts = wired(self.parts, Gremlin(self, random.Random(seed), mischief))

    def step(self, job_id: JobId) -> None:
        """One message for one worker, who may die of it."""
        clock = FakeClock()
        skew = self._random.choice(self._skews)
        clock.now = lambda: self.clock.at + skew  # type: ignore[method-assign]
        with suppress(Killed, StoreUnavailable):
            advance(replace(self.parts, clock=clock), job_id)

    def work(self) -> None:
        while True:
            with suppress(Killed, StoreUnavailable):
                sweep(self.parts)
            if not self.bell.rung:
                break
            while self.bell.rung:
                _, job_id = self.bell.rung.popleft()
                if self._random.random() < 0.95:  # else the message gets lost
                    self.step(job_id)
        for job in self.sane.store.list_jobs():
            assert job.state.is_final or self.sane.store.next_due(job.id) is not None

    def operate(self, doing: Callable[[], Any]) -> None:
        """Something that an operator or a producer does; they try again if the store was away."""
        for _ in range(20):
            with suppress(Killed, StoreUnavailable, NotPossible):
                doing()
                return

    def leap(self) -> bool:
        self.parts, parts = self.sane, self.parts
        try:
            return super().leap()
        finally:
            self.parts = parts

    def _next_stop(self) -> float | None:
        self.parts, parts = self.sane, self.parts
        try:
            return super()._next_stop()
        finally:
            self.parts = parts


def live_through(day: Day, r: random.Random) -> None:
    for number in range(r.randint(1, 4)):
        asked, how = request(r), definition(f"{number}", **run_of(r))

        def enqueue(number: int = number, asked: dict[str, Any] = asked, how: dict[str, Any] = how) -> None:
            day.ids.append(day.enqueue(how, request_id=f"r{number}", **asked))

        day.operate(enqueue)
        day.run_for(r.choice([0, 30, 400]))
    for _ in range(r.randint(0, 4)):
        day.run_for(r.choice([10, 300, 900]))
        job_id = r.choice(day.ids)
        asks = partial(day.stop, job_id) if r.random() < 0.4 else partial(day.extend, job_id, 300)
        day.operate(asks)
    day.run_for(3600)


MISCHIEF = [
    "does nothing",
    "kills",
    "loses answers of the store",
    "stalls",
    "sends another worker",
    "has clocks that are off",
]


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("mischief", MISCHIEF)
def test_the_books_are_right_in_the_evening(mischief: str, seed: int) -> None:
    r = random.Random(f"{mischief} {seed}")
    day = Day(seed, r, mischief)
    live_through(day, r)
    day.network.faults.replace([])
    day.credit("default", "1000")
    day.parts = day.sane
    day.run()
    audit(day)
    assert all(len(remotes(day, job_id)) <= 1 for job_id in day.ids)
