"""Records, log entries and commands that cannot be read break nothing but their own job."""

import json
import traceback

import pytest
import redis

from dispatcher.domain.crashes import Crash
from dispatcher.domain.errors import UnreadableRecord
from dispatcher.domain.ids import JobId, LeaseToken
from dispatcher.domain.words import FollowUp, State
from dispatcher.ports.dead import Unreadable
from dispatcher.ports.store import Command, Next
from dispatcher.store.redis import RedisStore
from tests.store.records import DAY, LEASE, T0, added, claimed, extend, short_of_credit, stop

BUG = Crash("it cannot be read")
DAMAGES = {
    "cut": lambda text: text[:-10],
    "empty": lambda text: b"",
    "no text": lambda text: b"\xff\xfe" + text,
    "newer": lambda text: json.dumps({**json.loads(text), "colour": "red-canary"}).encode(),
    "no object": lambda text: b"[1]",
}


@pytest.fixture
def store(client: redis.Redis) -> RedisStore:
    return RedisStore(client, "test")


def damage(client: redis.Redis, job_id: JobId, how: str = "cut") -> None:
    text = client.hget(f"test:job:{job_id}", "job")
    client.hset(f"test:job:{job_id}", "job", DAMAGES[how](text))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_claim_says_so_and_has_the_lease(store: RedisStore, client: redis.Redis, how: str) -> None:
    job = added(store)
    damage(client, job.id, how)
    with pytest.raises(UnreadableRecord) as caught:
        store.claim(job.id, now=T0, lease=LEASE)
    assert caught.value.token == 1
    assert store.claim(job.id, now=T0, lease=LEASE) is None
    told = "".join(traceback.format_exception(caught.value))
    assert "canary" not in told
    for ask in (lambda: store.load(job.id), lambda: store.load_many([job.id])):
        with pytest.raises(UnreadableRecord, match="dispatcher dead show"):
            ask()


def test_a_job_that_cannot_be_read_dies_like_others(store: RedisStore, client: redis.Redis) -> None:
    job = added(store)
    damage(client, job.id)
    for number in range(3):
        with pytest.raises(UnreadableRecord) as caught:
            store.claim(job.id, now=T0 + number * 10, lease=LEASE)
        error = caught.value
        assert (error.token, error.crashes) == (number + 1, number)
        trouble = store.crashed(
            job.id, LeaseToken(number + 1), BUG, now=T0 + number * 10, retry_at=T0, at_most=3
        )
        assert trouble is not None
        assert trouble.dead == (number == 2)
    assert store.claim(job.id, now=T0 + DAY, lease=LEASE) is None


def test_lists_counts_and_the_agenda_go_on(store: RedisStore, client: redis.Redis) -> None:
    one, two = added(store, 1), added(store, 2)
    damage(client, two.id)
    assert store.list_jobs() == [one]
    listed = store.listing()
    assert [(each.id, each.state, each.job) for each in listed] == [
        (two.id, "enqueued", None),
        (one.id, "enqueued", one),
    ]
    assert store.counts()[State.ENQUEUED] == 2
    assert len(store.take_due(now=T0, limit=10, grace=1)) == 2
    assert store.raw(two.id) is not None


def test_a_log_goes_on_after_an_entry_that_cannot_be_read(store: RedisStore, client: redis.Redis) -> None:
    job = added(store)
    client.rpush(f"test:log:{job.id}", '{"kind":"teleported","at":1}', b"\xff")
    claim = claimed(store, job.id)
    store.save(claim, job, [short_of_credit(T0)], now=T0, lease=LEASE)
    log = store.log(job.id)
    assert log[1:3] == [Unreadable(1), Unreadable(2)]
    assert log[3] == short_of_credit(T0)
    assert store.log(job.id, 2)[0] == Unreadable(2)
    assert store.events(job.id, 3) == [short_of_credit(T0)]
    with pytest.raises(UnreadableRecord, match="entry 1 of the log"):
        store.events(job.id)


@pytest.mark.parametrize(
    "written",
    [
        '{"kind":"pause","by":"x","at":1.0,"seconds":0}',
        "",
        "[]",
        b"\xff\xff",
        '{"by":"x"}',
        '{"kind":"extend","seconds":"soon"}',
    ],
)
def test_a_command_that_cannot_be_read_keeps_no_other_from_its_effect(
    store: RedisStore, client: redis.Redis, written: str
) -> None:
    job = added(store)
    client.rpush(f"test:commands:{job.id}", written)
    store.command(job.id, stop(), now=T0)
    claim = claimed(store, job.id)
    assert [command.kind for command in claim.commands] == ["unreadable", "stop"]
    later = Next(T0 + 500, FollowUp.POLL)
    assert store.release(claim, job, [], now=T0, due=later, retention=DAY, taken=2)
    assert claimed(store, job.id).commands == ()


def test_a_command_that_comes_alone_and_cannot_be_read_is_taken_once(
    store: RedisStore, client: redis.Redis
) -> None:
    job = added(store)
    claim = claimed(store, job.id)
    client.rpush(f"test:commands:{job.id}", "{")
    assert not store.release(claim, job, [], now=T0, due=Next(T0 + 500, FollowUp.POLL), retention=DAY)
    assert store.next_due(job.id) == Next(T0, FollowUp.DISPATCH)


def test_a_damaged_stop_is_a_stop(store: RedisStore, client: redis.Redis) -> None:
    job = added(store)
    client.rpush(f"test:commands:{job.id}", '{"kind":"stop","by":"ope')
    assert claimed(store, job.id).commands == (Command("stop", by="unreadable", at=0.0),)


def test_what_cannot_be_read_is_dropped_as_it_is(store: RedisStore, client: redis.Redis) -> None:
    job = added(store, request_id="r")
    store.command(job.id, extend(), now=T0)
    damage(client, job.id)
    raw = store.raw(job.id)
    with pytest.raises(UnreadableRecord):
        store.claim(job.id, now=T0, lease=LEASE)
    letter = store.crashed(job.id, LeaseToken(1), BUG, now=T0, retry_at=T0, at_most=1)
    assert letter is not None
    token = store.exhume(job.id, letter.token, now=T0, lease=LEASE)
    assert token is not None

    assert not store.discard(job.id, letter.token, now=T0, retention=100)
    assert not store.discard(job.id, token, now=T0 + LEASE, retention=100)
    assert store.discard(job.id, token, now=T0 + 1, retention=100)

    assert store.raw(job.id) == raw
    assert store.exposure(job.account).jobs == 0
    assert store.find("r") == job.id
    kept = store.trouble(job.id)
    assert kept is not None
    assert (kept.dead, kept.dropped_at, kept.reason) == (True, T0 + 1, BUG.reason)
    assert (store.dead_letters(), store.next_due(job.id)) == ([], None)
    assert (store.counts()[State.ENQUEUED], store.counts()[State.FAILED]) == (0, 1)
    assert store.claim(job.id, now=T0 + DAY, lease=LEASE) is None
    assert store.revive([job.id], now=T0) == []
    assert store.exhume(job.id, token, now=T0, lease=LEASE) is None
    assert store.command(job.id, stop(), now=T0)
    assert store.next_due(job.id) is None
    store.take_due(now=T0 + 101, limit=1, grace=1)
    assert (store.find("r"), store.raw(job.id), store.counts()[State.FAILED]) == (None, None, 0)
    assert client.keys("test:*") == []
