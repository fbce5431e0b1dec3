"""Operators' commands: each reaches a worker, whatever happens at the same time."""

import itertools
from collections.abc import Callable

import pytest

from dispatcher.domain.ids import JobId
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import FollowUp
from dispatcher.ports.store import Command, JobStore, Next
from tests.store.records import (
    DAY,
    LEASE,
    T0,
    added,
    claimed,
    ended,
    extend,
    in_store,
    job_id,
    resolve,
    retry,
    short_of_credit,
    stop,
)

LATER = Next(T0 + 500, FollowUp.POLL)


@pytest.mark.parametrize(
    ("command", "follow_up"),
    [
        (stop(), FollowUp.STOP),
        (extend(), FollowUp.EXTEND),
        (retry(), FollowUp.DISPATCH),
        (resolve(), FollowUp.DISPATCH),
        (resolve(address="GWECtAsFvcBZw79Y5uHUpdGxy6LNEQtmFvzZNW9xd8oq"), FollowUp.DISPATCH),
    ],
)
def test_a_command_makes_the_job_due_at_once_and_waits_for_the_claim(
    store: JobStore, command: Command, follow_up: FollowUp
) -> None:
    job = added(store, due_at=T0 + 100)

    assert store.command(job.id, command, now=T0 + 3)

    assert store.next_due(job.id) == Next(T0 + 3, follow_up)
    assert claimed(store, job.id, T0 + 3).commands == (command,)


def test_a_command_never_puts_off(store: JobStore) -> None:
    job = added(store, due_at=T0)

    store.command(job.id, stop(), now=T0 + 3)

    assert store.next_due(job.id) == Next(T0, FollowUp.STOP)


def test_unknown_jobs_take_no_commands(store: JobStore) -> None:
    assert not store.command(JobId("job_unknown"), stop(), now=T0)
    assert store.earliest_due() is None


def test_a_job_that_is_over_keeps_no_commands(store: JobStore) -> None:
    job = added(store)
    in_store(store, job.id, ended(T0), T0)

    assert store.command(job.id, stop(), now=T0)

    assert store.next_due(job.id) is None
    assert claimed(store, job.id).commands == ()


def test_commands_keep_their_order_and_their_words(store: JobStore) -> None:
    job = added(store)
    commands = (extend(60, T0 + 0.1, 'Ada "{"kind":"stop"}" Ö'), extend(120), stop(by="Bob"))
    for command in commands:
        store.command(job.id, command, now=T0)

    assert claimed(store, job.id).commands == commands


@pytest.mark.parametrize(
    ("commands", "follow_up"),
    [
        ((extend(), stop(), extend()), FollowUp.STOP),
        ((retry(), extend()), FollowUp.EXTEND),
        ((extend(), retry()), FollowUp.EXTEND),
        ((stop(), retry()), FollowUp.STOP),
    ],
    ids=str,
)
def test_a_stop_goes_first_and_a_retry_last(
    store: JobStore, commands: tuple[Command, ...], follow_up: FollowUp
) -> None:
    job = added(store)
    for command in commands:
        store.command(job.id, command, now=T0)

    assert store.take_due(now=T0, limit=1, grace=30)[0].follow_up is follow_up


@pytest.mark.parametrize("make", [stop, retry, resolve])
def test_of_several_stops_retries_or_resolutions_one_is_kept(
    store: JobStore, make: Callable[..., Command]
) -> None:
    job = added(store)
    for command in (make(by="first"), extend(), make(by="second")):
        assert store.command(job.id, command, now=T0)

    assert claimed(store, job.id).commands == (make(by="first"), extend())


def test_too_many_extensions_are_dropped_but_nothing_else(store: JobStore) -> None:
    job = added(store)
    for number in range(120):
        assert store.command(job.id, extend(number), now=T0)
    assert store.command(job.id, stop(), now=T0)
    assert store.command(job.id, retry(), now=T0)

    kept = (*(extend(number) for number in range(100)), stop(), retry())
    assert claimed(store, job.id).commands == kept


def test_commands_that_were_taken_are_forgotten(store: JobStore) -> None:
    job = added(store)
    for command in (extend(1), extend(2), extend(3)):
        store.command(job.id, command, now=T0)
    claim = claimed(store, job.id)

    claim = store.save(claim, job, [], now=T0, lease=LEASE, taken=2)
    assert claim.commands == (extend(3),)
    claim = store.save(claim, job, [], now=T0, lease=LEASE)
    assert claim.commands == (extend(3),)

    assert store.release(claim, job, [], now=T0, due=LATER, retention=DAY, taken=1)
    assert store.next_due(job.id) == LATER
    assert claimed(store, job.id).commands == ()


def test_saving_tells_of_commands_that_came_in_meanwhile(store: JobStore) -> None:
    job = added(store)
    store.command(job.id, extend(1), now=T0)
    claim = claimed(store, job.id)
    store.command(job.id, extend(2), now=T0)

    assert store.save(claim, job, [], now=T0, lease=LEASE, taken=1).commands == (extend(2),)


def test_a_release_that_meets_a_new_command_saves_all_but_leaves_the_job_due(store: JobStore) -> None:
    job = added(store)
    store.command(job.id, extend(1), now=T0)
    claim = claimed(store, job.id)
    store.command(job.id, extend(2), now=T0 + 1)
    event = short_of_credit(T0 + 2)
    changed = apply(job, event)

    assert not store.release(
        claim, changed, [event], now=T0 + 2, due=LATER, retention=DAY, taken=1, result={"a": 1}
    )

    assert store.load(job.id) == changed
    assert store.events(job.id, 1) == [event]
    assert store.result(job.id) == {"a": 1}
    assert store.next_due(job.id) == Next(T0 + 2, FollowUp.EXTEND)
    assert claimed(store, job.id, T0 + 2).commands == (extend(2),)


def test_the_end_of_a_job_makes_its_commands_pointless(store: JobStore) -> None:
    job = added(store)
    claim = claimed(store, job.id)
    store.command(job.id, stop(), now=T0)
    over = apply(job, ended(T0))

    assert store.release(claim, over, [ended(T0)], now=T0, due=None, retention=DAY)

    assert store.next_due(job.id) is None
    assert claimed(store, job.id).commands == ()


# --- no order of steps loses a command ---------------------------------------------------------------------

WORKER = ("take_due", "claim", "save", "release")


@pytest.mark.parametrize("places", list(itertools.product(range(len(WORKER) + 1), repeat=2)), ids=str)
def test_no_interleaving_loses_a_command(store: JobStore, places: tuple[int, int]) -> None:
    """Two commands come in at every pair of places among a worker's steps; in the end both were taken once, and
    until then the job was always due at the next step."""
    added(store)
    commands = (extend(1), stop())
    run = _Worker(store)

    for place in range(len(WORKER) + 1):
        for command, at in zip(commands, places, strict=True):
            if at == place:
                store.command(job_id(1), command, now=T0)
        if place < len(WORKER):
            run.step(WORKER[place])

    for _ in range(2):
        if len(run.taken) == len(commands):
            break
        entry = store.next_due(job_id(1))
        assert entry is not None
        assert entry.at == T0
        for step in WORKER:
            run.step(step)
    assert sorted(run.taken, key=lambda command: command.seconds) == [stop(), extend(1)]
    assert store.next_due(job_id(1)) == LATER


class _Worker:
    """A worker that takes every command it is shown into the record, in its next save or release."""

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self.taken: list[Command] = []

    def step(self, name: str) -> None:
        match name:
            case "take_due":
                self.store.take_due(now=T0, limit=10, grace=30)
            case "claim":
                self.claim = claimed(self.store, job_id(1))
            case "save":
                taken = self._take()
                self.claim = self.store.save(self.claim, self.claim.job, [], now=T0, lease=LEASE, taken=taken)
            case _:
                taken = self._take()
                self.store.release(
                    self.claim, self.claim.job, [], now=T0, due=LATER, retention=DAY, taken=taken
                )

    def _take(self) -> int:
        self.taken += self.claim.commands
        return len(self.claim.commands)
