"""No key of the store grows for ever: one job's log, its commands, what is known to be pinned; the largest request."""

from typing import Any

import pytest
import redis

from dispatcher.domain import events as ev
from dispatcher.domain.cid import Cid, cid_of
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.eventlog import LOG_AT_LAST, LOG_AT_MOST, is_whole, kept
from dispatcher.domain.ids import IdempotencyKey
from dispatcher.domain.job import Call
from dispatcher.domain.lifecycle import apply, create
from dispatcher.domain.request import JobRequest
from dispatcher.domain.words import Operation, Reason
from dispatcher.ports.store import JobStore, NewJob
from dispatcher.store.memory import MemoryStore
from dispatcher.store.memory import notes as memory
from dispatcher.store.redis import RedisStore
from tests.store.records import DAY, LEASE, T0, account, added, claimed, ended, job_id

WAITED = ev.Waited(at=T0, reason=Reason.AWAITING_NETWORK, detail="away")
INTENDED = ev.CallIntended(
    at=T0, call=Call(operation=Operation.POST, ordinal=1, key=IdempotencyKey("k"), intended_at=T0)
)


def test_a_long_log_keeps_what_was_decided_and_paid(store: JobStore) -> None:
    job = added(store)
    claim = claimed(store, job.id)

    def save(*events: ev.Event) -> int:
        nonlocal claim
        claim = store.save(claim, job, events, now=T0, lease=LEASE)
        return len(store.events(job.id))

    assert save(*[WAITED] * (LOG_AT_MOST - 2)) == LOG_AT_MOST - 1
    assert is_whole(store.events(job.id))
    assert save(WAITED, WAITED, INTENDED, WAITED) == LOG_AT_MOST + 1
    assert [event.kind for event in store.events(job.id)[-2:]] == ["waited", "call_intended"]
    assert not is_whole(store.events(job.id))
    assert save(*[INTENDED] * LOG_AT_MOST) == LOG_AT_LAST
    assert save(INTENDED, WAITED) == LOG_AT_LAST
    over = apply(job, ended(T0))
    assert store.release(claim, over, [ended(T0)], now=T0, due=None, retention=DAY)
    assert len(store.events(job.id)) == LOG_AT_LAST + 1
    assert store.events(job.id)[-1].kind == "ended"


@pytest.mark.parametrize(
    "length", [0, LOG_AT_MOST - 1, LOG_AT_MOST, LOG_AT_LAST - 1, LOG_AT_LAST, LOG_AT_LAST + 9]
)
def test_the_scripts_keep_what_the_rule_keeps(store: JobStore, length: int) -> None:
    job = added(store)
    claim = claimed(store, job.id)
    events = [
        WAITED,
        ev.Woken(at=T0, by="credit"),
        INTENDED,
        ev.Looked(at=T0),
        ev.CallUndecided(
            at=T0, operation=Operation.POST, key=IdempotencyKey("k"), error='"kind":"ended"', retry_at=T0
        ),
        ev.StopOrdered(at=T0, reason=Reason.OPERATOR, by="x"),
        ev.Observed(at=T0, phase="queued", timeout=1),
        ended(T0),
    ]
    filling: list[ev.Event] = [INTENDED] * min(length, LOG_AT_LAST - 1) + [ended(T0)] * max(
        length - LOG_AT_LAST, 0
    )
    claim = store.save(claim, job, filling[: max(length - 1, 0)], now=T0, lease=LEASE)
    before = len(store.events(job.id))
    store.save(claim, job, events, now=T0, lease=LEASE)
    assert store.events(job.id)[before:] == kept(before, events)


def test_pins_are_forgotten_the_oldest_first(client: redis.Redis) -> None:
    store = RedisStore(client, "test")
    client.zadd(
        "test:pins", {f"{account()}:Qm{number}": number for number in range(1, memory.PINS_AT_MOST + 1)}
    )
    client.sadd("test:pinned", "Qmold")
    for _ in range(2):
        store.mark_pinned(Cid("Qmnew"), account())
    assert client.zcard("test:pins") == memory.PINS_AT_MOST
    assert [store.is_pinned(Cid(each), account()) for each in ("Qm1", "Qm2", "Qmnew")] == [False, True, True]
    assert not client.exists("test:pinned")


def test_pins_are_forgotten_in_memory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PINS_AT_MOST", 2)
    store = MemoryStore()
    for each in ("Qm1", "Qm2", "Qm1", "Qm3"):
        store.mark_pinned(Cid(each), account())
    assert [store.is_pinned(Cid(each), account()) for each in ("Qm1", "Qm2", "Qm3")] == [False, True, True]


def largest() -> JobRequest:
    """A valid request with everything as long as it may be, in characters that take the most room."""
    document: dict[str, Any] = {
        "version": "0.1",
        "type": "container",
        "ops": [],
        "meta": {"trigger": "x" * 262_000},
    }
    return JobRequest(
        definition=document,
        market="x" * 80,
        timeout="100h",
        request_id="🙂" * 200,
        account="x" * 64,
        node="1" * 32,
        labels={f"{number:064d}": "🙂" * 200 for number in range(20)},
        allow_secrets=["🙂" * 1000] * 100,
        policies={
            "extend": {"by": "100h", "max_cost": "999999999.123456", "max_times": 10**9, "margin": "100h"},
            "stop": {"after": "87600h", "at": "2999-12-24T18:00:00.123456+01:00", "max_cost": "0.000001"},
        },
    )


def test_the_largest_request_takes_less_than_a_megabyte(redis_client: redis.Redis) -> None:
    asked = largest()
    document = asked.document()
    enqueued = ev.Enqueued(
        at=T0, id=job_id(1), spec=asked.spec(), fingerprint=asked.fingerprint(), cid=cid_of(document)
    )
    store = RedisStore(redis_client, "test")
    store.add([NewJob(create(enqueued), enqueued, document, T0)])
    kept_bytes = sum(int(redis_client.memory_usage(key, samples=0) or 0) for key in redis_client.scan_iter())
    assert 262_000 < kept_bytes < 1_000_000
    record, log = (
        redis_client.hget(f"test:job:{job_id(1)}", "job"),
        redis_client.lindex(f"test:log:{job_id(1)}", 0),
    )
    assert record is not None
    assert log is not None
    assert max(len(record), len(log)) < 30_000


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {f"a{number}": "" for number in range(21)}},
        {"labels": {"a": "x" * 201}},
        {"labels": {"a" * 65: ""}},
        {"request_id": "x" * 201},
        {"market": "x" * 81},
        {"account": "x" * 65},
        {"node": "1" * 45},
        {"policies": {"stop": {"max_cost": "1." + "0" * 100_000}}},
        {
            "definition": {
                "version": "0.1",
                "type": "container",
                "ops": [],
                "meta": {"trigger": "x" * 262_144},
            }
        },
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_no_field_of_a_request_may_be_longer(changes: dict[str, Any]) -> None:
    usual = {"definition": {"version": "0.1", "type": "container", "ops": []}, "market": "m", "timeout": "5m"}
    with pytest.raises(InvalidRequest, match="1 fault"):
        JobRequest(**{**usual, **changes})
