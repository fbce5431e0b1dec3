"""The stores on Redis: every kind of client and server, also when the server fails or is full."""

import traceback
from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files

import fakeredis
import pytest
import redis

from dispatcher.domain.errors import Bug, SettingsError, StoreUnavailable
from dispatcher.domain.ids import HoldId, JobId
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import FollowUp
from dispatcher.ports.ledger import Held
from dispatcher.ports.provider import Balance
from dispatcher.ports.store import Next
from dispatcher.store.redis import RedisLedger, RedisStore, connect
from tests.servers import Server, start_server
from tests.store.records import (
    DAY,
    LEASE,
    T0,
    account,
    added,
    claimed,
    ended,
    extend,
    job_id,
    new_job,
    short_of_credit,
    stop,
)

LATER = Next(T0 + 500, FollowUp.POLL)


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the test may treat badly."""
    server = start_server(tmp_path_factory.mktemp("own"))
    yield server
    server.stop()


def test_scripts_that_the_server_forgot_are_loaded_again(client: redis.Redis) -> None:
    store, ledger = RedisStore(client, "test"), RedisLedger(client, "test")
    for number in range(3):
        client.script_flush()
        added(store, number)
        client.script_flush()
        claimed(store, job_id(number))
        client.script_flush()
        ledger.settle(account(), job_id(number), Decimal(1))

    assert ledger.view(account()).settled == 3


@pytest.mark.redis
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("decode", [True, False], ids=["text", "bytes"])
def test_every_kind_of_client_will_do(
    redis_url: str, redis_client: redis.Redis, protocol: int, decode: bool
) -> None:
    with redis.Redis.from_url(redis_url, protocol=protocol, decode_responses=decode) as client:
        use_everything(RedisStore(client, "test"), RedisLedger(client, "test"))


@pytest.mark.parametrize("decode", [True, False], ids=["text", "bytes"])
def test_every_kind_of_fake_client_will_do(decode: bool) -> None:
    with fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=decode) as client:
        use_everything(RedisStore(client, "test"), RedisLedger(client, "test"))


def use_everything(store: RedisStore, ledger: RedisLedger) -> None:
    job = added(store, request_id="r")
    store.command(job.id, stop(), now=T0)
    claim = claimed(store, job.id)
    assert claim.commands == (stop(),)
    event = short_of_credit(T0)
    claim = store.save(claim, apply(job, event), [event], now=T0, lease=LEASE, taken=1, result={"a": "é"})
    assert store.waiting_accounts() == [account()]
    assert store.waiters(account(), 1)[0].short_usd == Decimal("1.5")
    assert store.release(claim, claim.job, [], now=T0, due=LATER, retention=DAY)
    assert store.next_due(job.id) == LATER
    assert store.earliest_due() == LATER.at
    store.wake([job.id], now=T0)
    assert [due.id for due in store.take_due(now=T0, limit=1, grace=30)] == [job.id]
    assert store.find("r") == job.id
    assert store.document(job.id) == new_job().document
    assert store.result(job.id) == {"a": "é"}
    assert len(store.events(job.id)) == 2
    assert store.list_jobs() == [claim.job]
    assert sum(store.counts().values()) == 1
    assert store.take_turn("a", now=T0, period=1)
    balance = Balance(Decimal(10), Decimal(0), Decimal(0))
    assert ledger.put_balance(account(), ledger.marker(account()), balance, now=T0)
    assert ledger.hold(account(), job.id, HoldId("h"), Decimal(1), now=T0) == Held(Decimal(1))
    assert ledger.view(account()).available == 9
    assert ledger.view(account()).balance_at == T0


@pytest.mark.redis
def test_a_server_that_is_stuck_is_reported_and_used_again_when_it_is_back(own_server: Server) -> None:
    with connect(own_server.url, timeout=0.2, retries=0) as client:
        store = RedisStore(client, "test")
        job = added(store)
        own_server.freeze()

        with pytest.raises(StoreUnavailable, match="cannot be reached: TimeoutError") as caught:
            store.load(job.id)
        own_server.thaw()

        assert isinstance(caught.value.__cause__, redis.TimeoutError)
        assert store.load(job.id) == job


@pytest.mark.redis
def test_a_server_that_is_gone_is_reported_by_every_way_of_asking(own_server: Server) -> None:
    with connect(own_server.url, timeout=1, retries=0) as client:
        store, ledger = RedisStore(client, "test"), RedisLedger(client, "test")
        own_server.stop()

        for ask in (
            lambda: store.add([new_job()]),
            lambda: store.claim(job_id(1), now=T0, lease=LEASE),
            lambda: store.load(job_id(1)),
            store.counts,
            lambda: ledger.marker(account()),
        ):
            with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
                ask()
            assert isinstance(caught.value.__cause__, redis.ConnectionError)


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:1/3", "rediss://127.0.0.1:1/3", "unix:///nowhere.sock?db=3"]
)
def test_every_kind_of_url_is_tried(url: str) -> None:
    reason = r"(127\.0\.0\.1:1|/nowhere\.sock)/3 cannot be reached"
    with connect(url, retries=0) as client, pytest.raises(StoreUnavailable, match=reason):
        RedisStore(client, "test").load(job_id(1))


@pytest.mark.redis
def test_a_server_that_is_full_changes_nothing(own_server: Server) -> None:
    with connect(own_server.url) as client:
        store = RedisStore(client, "test")
        job = added(store)
        claim = claimed(store, job.id)
        client.config_set("maxmemory", 1)

        with pytest.raises(StoreUnavailable, match=r"refuses to work: (OutOfMemoryError|OOM)"):
            store.save(claim, apply(job, short_of_credit(T0)), [], now=T0, lease=LEASE)
        client.config_set("maxmemory", 0)

        assert store.load(job.id) == job
        assert store.waiting_accounts() == []


@pytest.mark.redis
def test_no_password_gets_into_a_message(own_server: Server) -> None:
    url = own_server.url.replace("redis://", "redis://someone:s3cr3t@")
    with connect(url, retries=0) as client:
        with pytest.raises(StoreUnavailable) as caught:
            RedisStore(client, "test").load(job_id(1))

        assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
        assert f"127.0.0.1:{own_server.port}/0" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["redis://:s3cr3t/x@host:6379/0", "redis://u:s3cr3t@host:port/0", "s3cr3t", "http://u:s3cr3t@host"]
)
def test_a_url_that_cannot_be_read_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError, match="redis://user:password@host") as caught:
        connect(url)

    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_foreign_data_under_our_keys_is_not_taken_for_an_outage(client: redis.Redis) -> None:
    client.set("test:agenda", "something else")

    with pytest.raises(Bug, match="does not understand"):
        RedisStore(client, "test").take_due(now=T0, limit=1, grace=1)


def test_prefixes_keep_stores_apart(client: redis.Redis) -> None:
    one, two = RedisStore(client, "one"), RedisStore(client, "two")
    job = added(one, request_id="r")

    assert two.load(job.id) is None
    assert two.find("r") is None
    assert two.take_due(now=T0, limit=1, grace=1) == []
    assert all(key.startswith(b"one:") for key in client.scan_iter())


def test_a_job_that_is_forgotten_leaves_nothing_behind(client: redis.Redis) -> None:
    store = RedisStore(client, "test")
    job = added(store, request_id="r")
    claim = claimed(store, job.id)
    claim = store.save(
        claim, apply(job, short_of_credit(T0)), [short_of_credit(T0)], now=T0, lease=LEASE, result={"a": 1}
    )
    store.command(job.id, extend(), now=T0)
    store.release(claim, apply(claim.job, ended(T0)), [ended(T0)], now=T0, due=None, retention=0)

    assert client.dbsize() == 0


def test_an_agenda_entry_without_its_job_is_dropped(client: redis.Redis) -> None:
    store = RedisStore(client, "test")
    added(store, 1)
    added(store, 2)
    client.delete("test:job:" + job_id(1))

    store.wake([job_id(1)], now=T0)
    assert store.next_due(job_id(1)) is None
    assert [due.id for due in store.take_due(now=T0, limit=2, grace=30)] == [job_id(2)]
    assert client.zrange("test:agenda", 0, -1) == [job_id(2).encode()]


def test_the_ledger_remembers_a_bounded_number_of_settled_jobs(client: redis.Redis) -> None:
    ledger = RedisLedger(client, "test")
    client.zadd("test:credit:default:settled", {f"old_{number}": -number for number in range(100_000)})

    ledger.settle(account(), JobId("new"), Decimal(1))
    ledger.settle(account(), JobId("new"), Decimal(1))

    assert client.zcard("test:credit:default:settled") == 100_000
    assert client.zscore("test:credit:default:settled", "old_99999") is None
    assert ledger.view(account()).settled == 1


def test_every_script_says_what_it_takes_and_answers() -> None:
    folders = files("dispatcher.store.redis").joinpath("lua").iterdir()
    for script in (script for folder in folders for script in folder.iterdir()):
        head = script.read_text(encoding="utf-8").split("\n\n")[0]
        assert all(line.startswith("--") for line in head.splitlines()), script.name
        assert script.name == "prelude.lua" or "-- Answer: " in head, script.name
