"""A bounded number of simulated seeds, that they can be replayed, and that they would see what they look for.

`make simulate` runs as many as one likes.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dispatcher.domain import costs, lifecycle, planner, retrying
from dispatcher.domain.actions import Action, Send
from dispatcher.domain.events import Mended
from dispatcher.domain.job import Job
from dispatcher.domain.policies import Policies
from dispatcher.domain.rules import chaining, ending, extending, money, stopping
from dispatcher.domain.words import FINAL_STATES, FollowUp, Phase, State
from dispatcher.engine import advance
from dispatcher.ports.ledger import Held
from dispatcher.ports.store import Next
from dispatcher.store.memory import MemoryLedger, MemoryStore
from dispatcher.store.memory.spending import Spending
from tests.simulation import world
from tests.simulation.run import simulate
from tests.simulation.story import report

ROOT = Path(__file__).parent.parent.parent
SEEDS = 36
JOBS = 14
TRIED = 40
"""How many seeds of 12 jobs one missing guard may pass unnoticed."""


@pytest.mark.parametrize("start", range(0, SEEDS, 6))
def test_whatever_happens_every_job_ends_once_and_is_paid_once(start: int) -> None:
    for seed in range(start, start + 6):
        story = simulate(seed, JOBS)
        assert not story.wrong, report(story, JOBS)
        assert story.jobs >= JOBS * 0.5  # what comes after a job that is not there is refused


def test_a_simulation_is_not_a_walk_in_the_park() -> None:
    """Much of what it is for does happen in the seeds that the suite runs."""
    seen: set[str] = set()
    happened: set[str] = set()
    for seed in range(16):
        story = simulate(seed, 10)
        happened |= story.kinds
        for line in story.trace:
            words = line.what.split()
            seen |= {words[0], words[-1]}
    assert {"dies", "stalls", "waits", "host", "credit", "loses", "puts"} <= seen
    assert {"LeaseLost", "NoAnswer", "Unavailable", "KeyInProgress", "NotFound", "NotPossible"} <= seen
    assert {"NotSent", "Held", "Over", "Short", "lists", "market", "InvalidRequest"} <= seen
    kinds = {
        "attempt_ended",
        "moved",
        "released",
        "policies_changed",
        "warned",
        "extends_ended",
        "budget_used_up",
    }
    assert kinds <= happened, kinds - happened


def test_the_same_seed_is_the_same_story_even_in_another_process() -> None:
    first, again = simulate(5, 8), simulate(5, 8)
    told = "".join(f"{line}\n" for line in first.trace)
    assert told == "".join(f"{line}\n" for line in again.trace)
    assert len(first.trace) > 200
    for hashes in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--replay", "5", "--jobs", "8", "--trace"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == told + report(first, 8)


def test_other_seeds_are_other_stories() -> None:
    assert simulate(1, 4).trace != simulate(2, 4).trace


# --- a guard is taken out, and some seed shows it -----------------------------------------------------------


def without_token_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever saves, saves: whether the claim is still the last one is not asked."""
    checked = MemoryStore._save

    def save(self: MemoryStore, claim: Any, job: Job, log: Any, **kwargs: Any) -> Any:
        entry = self._jobs[job.id]
        entry.lease_until = kwargs["now"] + 1
        return checked(self, replace(claim, token=entry.token), job, log, **kwargs)

    monkeypatch.setattr(MemoryStore, "_save", save)


def without_intents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are sent first and written down with what came of them."""
    saves = advance._Turn._save

    def save(self: Any, before: Action) -> None:
        if not isinstance(before, Send):
            saves(self, before)

    monkeypatch.setattr(advance._Turn, "_save", save)


def without_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set aside before it is spent."""
    monkeypatch.setattr(
        MemoryLedger, "hold", lambda self, account, job, hold, amount, **rest: Held(Decimal(amount))
    )


def without_stop_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that is being stopped is extended all the same, if that is due first."""

    def refusal(job: Job, seconds: int) -> str | None:
        return costs.extension_refusal(job.model_copy(update={"stop": None}), seconds)

    def may_extend(job: Job) -> bool:
        return job.remote is not None and job.remote.phase in (Phase.QUEUED, Phase.RUNNING)

    monkeypatch.setattr(extending, "may_extend", may_extend)
    for module in (extending, advance):
        monkeypatch.setattr(module, "extension_refusal", refusal)
    others = tuple(rule for rule in planner.RULES if rule is not stopping.stop)
    monkeypatch.setattr(planner, "RULES", (*others, stopping.stop))


def without_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks the store over: what falls off the agenda stays off it."""
    monkeypatch.setattr(world, "reconcile_in_turn", lambda parts: None)


def without_known_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the network's index does not show is believed to be over, and is tried again."""
    monkeypatch.setattr(ending, "INDEX_PATIENCE", 0.0)
    monkeypatch.setattr(retrying, "is_known_to_be_over", lambda job: True)
    monkeypatch.setattr(retrying, "_wanted", lambda job, policy, end: "anything")


def without_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    """No job has a cap on what it may cost."""
    monkeypatch.setattr(Policies, "max_cost", lambda self: None)


def without_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """No label and no account has a limit."""
    monkeypatch.setattr(Spending, "refusal", lambda self, scopes, micros, now: None)


def without_upstreams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for another job."""
    for module in (chaining, money):
        monkeypatch.setattr(module, "held_up", lambda job: False)


def without_due_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that waits for a host is let go for good."""
    lets_go = advance._Turn._release

    def release(self: Any, due: Next | None) -> Job:
        return lets_go(self, None if self._job.state is State.QUEUED else due)

    monkeypatch.setattr(advance._Turn, "_release", release)


def without_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that is over may be taken up again, and is, where its worker was killed before it was closed."""
    changed = {state: {"mended": frozenset({state})} for state in FINAL_STATES}
    monkeypatch.setattr(lifecycle, "TRANSITIONS", {**lifecycle.TRANSITIONS, **changed})

    def again(self: Any) -> Job:
        on_agenda = self._parts.store.next_due(self._job.id) is not None
        if not on_agenda:
            return self._release(None)
        self._happened([Mended(at=self._parts.clock.now(), what="taken up again")])
        self._job = self._job.model_copy(update={"state": State.ENQUEUED})
        return self._release(Next(self._parts.clock.now() + 60, FollowUp.POLL))

    monkeypatch.setattr(advance._Turn, "_close_again", again)


@pytest.mark.parametrize(
    ("take_out", "caught_by"),
    [
        (without_known_ends, "is listed as"),
        (without_caps, " of at most "),
        (without_budgets, "has spent"),
        (without_upstreams, "and comes after"),
        (without_due_times, "must fall due again"),  # the store itself says so
        (without_last_words, "was over"),
        (without_token_check, "under claim"),
        (without_intents, "which nobody has written down"),
        (without_holds, "drift_usd"),  # the audit of the books is the first to see it
        (without_stop_check, "was begun after the stop was ordered"),
        (without_rounds, "is not over, and never due"),
    ],
)
def test_a_guard_that_is_taken_out_is_missed(
    take_out: Callable[[pytest.MonkeyPatch], None], caught_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_out(monkeypatch)
    for seed in range(TRIED):
        story = simulate(seed, 12)
        if any(caught_by in fault for fault in story.wrong):
            assert f"--replay {seed} --jobs 12" in report(story, 12)
            return
    pytest.fail(f"{TRIED} seeds passed")
