"""Who comes after whom is kept with the jobs, and forgotten with them; a definition may take another's place."""

from typing import Any

import pytest
import redis

from dispatcher.domain import events as ev
from dispatcher.domain.cid import cid_of
from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.ids import JobId
from dispatcher.domain.lifecycle import apply, create
from dispatcher.domain.request import JobSpec
from dispatcher.domain.words import FollowUp, Reason
from dispatcher.ports.store import Command, JobStore, NewJob, Next
from tests.store.records import DAY, DOCUMENT, LEASE, T0, claimed, ended, in_store

FILLED = b'{"ops":[],"name":"filled"}'
LATER = Next(T0 + 500, FollowUp.DISPATCH)


def name(number: int) -> JobId:
    return JobId(f"job_{number:024x}")


def new(number: int, *after: int, **spec: Any) -> NewJob:
    ups = [{"id": name(each), "on": "any"} for each in after]
    enqueued = ev.Enqueued(
        at=T0,
        id=name(number),
        spec=JobSpec(market="some-market", timeout="30m", after=ups, **spec),  # type: ignore[arg-type]
        fingerprint=f"{number}",
        cid=cid_of(DOCUMENT),
    )
    return NewJob(create(enqueued), enqueued, DOCUMENT, T0)


def forgotten(store: JobStore, *numbers: int) -> None:
    """The jobs end, and their retention time passes."""
    for number in numbers:
        in_store(store, name(number), ended(T0), T0, retention=10)
    store.take_due(now=T0 + 11, limit=0, grace=1)
    assert store.load_many([name(number) for number in numbers]) == [None] * len(numbers)


def test_jobs_come_after_others(store: JobStore) -> None:
    store.add([new(1), new(2, 1), new(4, 1, 2), new(3, 1)])
    assert store.dependents(name(1)) == [name(2), name(3), name(4)]
    assert store.dependents(name(2)) == [name(4)]
    assert store.dependents(name(4)) == store.dependents(name(99)) == []
    assert [store.count_dependents(name(each)) for each in (1, 2, 4, 99)] == [3, 1, 0, 0]
    loaded = store.load(name(4))
    assert loaded is not None
    assert (loaded.reason, [each.job for each in loaded.spec.after]) == (
        Reason.AWAITING_JOBS,
        [name(1), name(2)],
    )
    assert store.reasons()[Reason.AWAITING_JOBS] == 3


def test_a_request_that_is_known_adds_nobody(store: JobStore) -> None:
    store.add([new(1), new(2, 1, request_id="a")])
    assert [item.id for item in store.add([new(3, 1, request_id="a")])] == [name(2)]
    store.add([new(2, 1, request_id="a")])
    assert store.dependents(name(1)) == [name(2)]


def test_they_stay_when_one_ends_and_go_when_it_is_forgotten(store: JobStore) -> None:
    store.add([new(1), new(2, 1), new(3, 1)])
    in_store(store, name(2), ended(T0), T0, retention=DAY)
    assert store.dependents(name(1)) == [name(2), name(3)]
    forgotten(store, 3)
    assert store.dependents(name(1)) == [name(2)]
    forgotten(store, 1)
    assert store.dependents(name(1)) == []


def test_nothing_is_left_behind(store: JobStore, backend: redis.Redis | None) -> None:
    """Also of one that comes after a job that was forgotten before it was stored."""
    store.add([new(1), new(2, 1), new(3, 1, 2, 77)])
    forgotten(store, 1, 2, 3)
    if backend is None:
        assert store._after == {}  # type: ignore[attr-defined]
    else:
        assert list(backend.scan_iter("test:after:*")) == []


def test_the_word_that_an_upstream_is_over_is_kept_once_and_makes_due(store: JobStore) -> None:
    store.add([new(1), new(2, 1)])
    in_store(store, name(2), ev.Waited(at=T0, reason=Reason.AWAITING_JOBS), T0)
    for number in (1, 7):
        store.command(name(2), Command("upstream", by=name(number), at=T0), now=T0 + 1)
    assert store.next_due(name(2)) == Next(T0 + 1, FollowUp.DISPATCH)
    claim = claimed(store, name(2), T0 + 2)
    assert claim.commands == (Command("upstream", by=name(1), at=T0),)


@pytest.mark.parametrize("how", ["save", "release"])
def test_the_definition_changes_in_one_step_with_the_record(store: JobStore, how: str) -> None:
    store.add([new(1), new(2, 1)])
    claim = claimed(store, name(2))
    released = ev.Released(at=T0, cid=cid_of(FILLED), taken=("definition.name",))
    job = apply(claim.job, released)
    if how == "save":
        claim = store.save(claim, job, [released], now=T0, lease=LEASE, document=FILLED)
        claim = store.save(claim, job, [], now=T0, lease=LEASE)
    else:
        store.release(claim, job, [released], now=T0, due=LATER, retention=DAY, document=FILLED)
    assert store.document(name(2)) == FILLED
    assert store.load(name(2)) == job
    assert store.events(name(2))[-1] == released
    assert store.result(name(2)) is None


@pytest.mark.parametrize("how", ["save", "release"])
def test_who_lost_the_lease_changes_no_definition(store: JobStore, how: str) -> None:
    store.add([new(1), new(2, 1)])
    claim = claimed(store, name(2))
    claimed(store, name(2), T0 + LEASE + 1)
    job, late = claim.job, T0 + LEASE + 2
    rest: dict[str, Any] = {"lease": LEASE} if how == "save" else {"due": LATER, "retention": DAY}
    with pytest.raises(LeaseLost):
        getattr(store, how)(claim, job, [], now=late, document=FILLED, **rest)
    assert store.document(name(2)) == DOCUMENT


def test_a_job_that_is_over_may_stay_on_the_agenda_and_is_kept(store: JobStore) -> None:
    """Its callback could not be sent."""
    store.add([new(1)])
    claim = claimed(store, name(1))
    job = apply(claim.job, ended(T0))
    claim = store.save(claim, job, [ended(T0)], now=T0, lease=LEASE)
    assert store.release(claim, job, [], now=T0, due=Next(T0 + 30, FollowUp.DISPATCH), retention=1)
    assert store.next_due(name(1)) == Next(T0 + 30, FollowUp.DISPATCH)
    store.take_due(now=T0 + 20, limit=10, grace=1)
    assert store.load(name(1)) == job
    (checked,) = store.mend([name(1)], now=T0, grace=40)
    assert checked.damages == ()
    claim = claimed(store, name(1), T0 + 30)
    store.release(claim, job, [], now=T0 + 30, due=None, retention=10)
    assert store.next_due(name(1)) is None
    store.take_due(now=T0 + 41, limit=10, grace=1)
    assert store.load(name(1)) is None
