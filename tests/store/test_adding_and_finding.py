"""Storing jobs, and finding them again."""

from dataclasses import replace

import pytest

from dispatcher.domain.cid import Cid
from dispatcher.domain.events import Event, Looked
from dispatcher.domain.ids import JobId
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import FollowUp, State
from dispatcher.ports.store import Added, JobStore, Next
from tests.store.records import (
    DOCUMENT,
    LEASE,
    T0,
    account,
    added,
    claimed,
    ended,
    in_store,
    job_id,
    new_job,
    short_of_credit,
)


def test_a_job_is_stored_whole(store: JobStore) -> None:
    new = new_job(request_id="r/1: ä", due_at=T0 + 5, labels={"team": "Zürich 🙂"}, priority=-3)

    assert store.add([new]) == [Added(new.job.id, new=True)]

    assert store.load(new.job.id) == new.job
    assert store.find("r/1: ä") == new.job.id
    assert store.document(new.job.id) == DOCUMENT
    assert store.events(new.job.id) == [new.enqueued]
    assert store.next_due(new.job.id) == Next(T0 + 5, FollowUp.DISPATCH)
    assert store.result(new.job.id) is None
    assert store.counts()[State.ENQUEUED] == 1


def test_what_is_not_there_is_none(store: JobStore) -> None:
    unknown = JobId("job_unknown")

    assert store.load(unknown) is None
    assert store.load_many([unknown]) == [None]
    assert store.find("r") is None
    assert store.document(unknown) is None
    assert store.result(unknown) is None
    assert store.events(unknown) == []
    assert store.next_due(unknown) is None
    assert store.claim(unknown, now=T0, lease=LEASE) is None
    assert store.earliest_due() is None
    assert store.take_due(now=T0, limit=10, grace=30) == []
    assert store.list_jobs() == []
    assert store.counts() == dict.fromkeys(State, 0)
    assert store.waiting_accounts() == []


def test_nothing_to_store_is_nothing(store: JobStore) -> None:
    assert store.add([]) == []
    assert store.load_many([]) == []
    store.wake([], now=T0)


@pytest.mark.parametrize("same", [True, False], ids=["same request", "another request"])
def test_a_known_request_id_gives_the_job_that_is_there(store: JobStore, same: bool) -> None:
    first = new_job(1, request_id="r", fingerprint="a" * 64)
    again = new_job(2, request_id="r", fingerprint=("a" if same else "b") * 64)
    store.add([first])

    assert store.add([again]) == [Added(first.job.id, new=False, same_request=same)]

    assert store.load(again.job.id) is None
    assert store.next_due(again.job.id) is None
    assert store.counts()[State.ENQUEUED] == 1


def test_request_ids_are_told_apart_within_one_call(store: JobStore) -> None:
    jobs = [new_job(1, request_id="r"), new_job(2, request_id="r"), new_job(3), new_job(4)]

    answers = store.add(jobs)

    assert [(answer.id, answer.new) for answer in answers] == [
        (job_id(1), True),
        (job_id(1), False),
        (job_id(3), True),
        (job_id(4), True),
    ]


def test_storing_again_changes_nothing(store: JobStore) -> None:
    new = new_job(1, request_id="r")
    store.add([new])
    claim = claimed(store, new.job.id)
    waited = short_of_credit(T0 + 1)
    saved = apply(claim.job, waited)
    store.save(claim, saved, [waited], now=T0 + 1, lease=LEASE)

    # The caller did not get the first answer, and asks again.
    assert store.add([new]) == [Added(new.job.id, new=True)]

    assert store.load(new.job.id) == saved
    assert store.events(new.job.id) == [new.enqueued, waited]


def test_more_jobs_than_fit_into_one_round_trip_keep_their_order(store: JobStore) -> None:
    jobs = [new_job(number, at=T0 + number) for number in range(1, 1203)]

    answers = store.add(jobs)

    assert [answer.id for answer in answers] == [new.job.id for new in jobs]
    assert store.load_many([new.job.id for new in jobs]) == [new.job for new in jobs]
    assert store.counts()[State.ENQUEUED] == len(jobs)


def test_large_definitions_are_kept_byte_for_byte(store: JobStore) -> None:
    documents = [bytes([letter]) * 262_144 for letter in b"abcdefghijklmnopqrstuvwxyz"]
    jobs = [new_job(number, document=document) for number, document in enumerate(documents)]

    store.add(jobs)

    assert [store.document(new.job.id) for new in jobs] == documents


def test_many_are_loaded_in_the_order_asked_for(store: JobStore) -> None:
    one, two = added(store, 1), added(store, 2)

    assert store.load_many([two.id, JobId("job_x"), one.id]) == [two, None, one]


def test_the_log_can_be_read_from_a_position_and_leaves_out_empty_looks(store: JobStore) -> None:
    job = added(store)
    log: list[Event] = [short_of_credit(T0 + 1), Looked(at=T0 + 2), short_of_credit(T0 + 3)]
    claim = claimed(store, job.id)
    store.save(claim, job, log, now=T0, lease=LEASE)

    assert store.events(job.id, 1) == [log[0], log[2]]
    assert store.events(job.id, 2) == [log[2]]
    assert store.events(job.id, 3) == []


def test_jobs_are_listed_the_newest_first(store: JobStore) -> None:
    jobs = [added(store, number, at=T0 + number // 2) for number in range(1, 8)]
    over = {job.id: in_store(store, job.id, ended(T0 + 50), T0 + 50) for job in jobs[::3]}
    newest_first = [over.get(job.id, job) for job in reversed(jobs)]
    alive = [job for job in newest_first if job.id not in over]

    assert store.list_jobs() == newest_first
    assert store.list_jobs(limit=3) == newest_first[:3]
    assert store.list_jobs(limit=3, offset=2) == newest_first[2:5]
    assert store.list_jobs(limit=3, offset=6) == newest_first[6:]
    assert store.list_jobs(limit=3, offset=7) == []
    assert store.list_jobs(limit=0) == []
    assert store.list_jobs(states=[State.ENQUEUED]) == alive
    assert (
        store.list_jobs(states=[State.REJECTED], limit=2)
        == [job for job in newest_first if job.id in over][:2]
    )
    assert store.list_jobs(states=[State.REJECTED, State.ENQUEUED, State.REJECTED]) == newest_first
    assert store.list_jobs(states=[State.RUNNING]) == []


def test_counts_name_every_state(store: JobStore) -> None:
    for number in range(3):
        added(store, number)
    in_store(store, job_id(1), ended(T0 + 1), T0 + 1)

    assert store.counts() == dict.fromkeys(State, 0) | {State.ENQUEUED: 2, State.REJECTED: 1}


def test_results_are_kept_beside_the_job(store: JobStore) -> None:
    job = added(store)
    result = {
        "status": "success",
        "opStates": [{"exitCode": 0, "logs": ["\ud83d half", "é", None]}],
        "x": 1.5,
    }
    claim = claimed(store, job.id)

    store.save(claim, job, [], now=T0, lease=LEASE, result=result)
    store.save(claim, job, [], now=T0, lease=LEASE)

    assert store.result(job.id) == result


def test_the_store_keeps_its_own_copy_of_a_result(store: JobStore) -> None:
    job = added(store)
    result = {"a": [1]}
    store.save(claimed(store, job.id), job, [], now=T0, lease=LEASE, result=result)

    result["a"].append(2)
    read = store.result(job.id)
    assert read == {"a": [1]}
    read["a"].append(3)

    assert store.result(job.id) == {"a": [1]}


def test_pinned_definitions_are_remembered(store: JobStore) -> None:
    assert not store.is_pinned(Cid("Qm1"), account())
    store.mark_pinned(Cid("Qm1"), account())
    store.mark_pinned(Cid("Qm1"), account())

    assert store.is_pinned(Cid("Qm1"), account())
    assert not store.is_pinned(Cid("Qm2"), account())
    assert not store.is_pinned(Cid("Qm1"), account("other"))  # which may pin where others do not look


def test_a_job_with_everything_in_it_survives_the_way_through_the_store(store: JobStore) -> None:
    job = added(store, policies={"extend": {"by": "1h", "max_cost": "2.5"}, "stop": {"max_cost": "3"}})
    claim = claimed(store, job.id)
    changed = apply(job, short_of_credit(T0 + 0.1, "0.000001"))

    assert store.save(claim, changed, [], now=T0, lease=LEASE) == replace(claim, job=changed)

    assert store.load(job.id) == changed
