"""Redis with TLS and a user who may do no more than is needed: a job runs through real processes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from dispatcher.domain.errors import StoreUnavailable
from dispatcher.domain.job import Job
from dispatcher.domain.words import State
from dispatcher.ops.clock import poll
from dispatcher.store.redis import RedisStore, connect
from tests.processes.secure import PASSWORD, Secured, authority, secured
from tests.processes.station import PATIENCE, Station

pytestmark = [pytest.mark.processes, pytest.mark.redis]

DEFINITION = {
    "version": "0.1",
    "type": "container",
    "meta": {"trigger": "test", "simulated": {"runs_for": "15m"}},
    "ops": [{"type": "container/run", "id": "main", "args": {"image": "ubuntu", "cmd": "echo hello"}}],
}
REQUEST = {
    "definition": DEFINITION,
    "market": "nvidia-3060",
    "timeout": "10m",
    "policies": {"extend": {"by": "10m"}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secure")) as built:
        yield built


def test_a_job_runs_over_tls_as_a_user_with_few_rights(server: Secured, tmp_path: Path) -> None:
    station = Station(tmp_path, server.url)
    try:
        station.env["DISPATCHER_REDIS_CA"] = str(server.authority.ca)
        beat, worker = station.start_beat(), station.start_worker("one")
        file = tmp_path / "job.json"
        file.write_text(json.dumps(DEFINITION))
        short = station.json(
            "enqueue", str(file), "--market", "nvidia-3060", "--timeout", "10m", "--account", "poor"
        )["id"]
        signed = f"{server.url}?ssl_cert_reqs=required&ssl_ca_certs={server.authority.ca}"
        with Celery("another application", broker=signed, backend=signed, set_as_current=False) as other:
            submitted = other.send_task("dispatcher.submit", kwargs=REQUEST, queue="dispatcher")
            job_id = submitted.get(timeout=PATIENCE)["id"]
            other.send_task("dispatcher.sweep", queue="dispatcher", priority=6)
        assert (
            "dispatcher.submit" in station.run("celery", "-A", "dispatcher", "inspect", "registered").stdout
        )
        store = RedisStore(connect(signed))

        def ended() -> Job | None:
            job = store.load(job_id)
            return job if job is not None and job.state.is_final else None

        job = poll(ended, within=PATIENCE, every=0.05)
        assert job is not None
        assert (job.state, job.extends) == (State.COMPLETED, 1)
        assert station.json("balance", "--account", "poor")["waiting_jobs"] == 1
        station.json("stop", short)
        assert poll(lambda: store.counts()[State.STOPPED] or None, within=PATIENCE, every=0.05)
        assert PASSWORD not in worker.log.read_text() + beat.log.read_text()
    finally:
        station.close()
    with redis.Redis.from_url(server.admin_url, decode_responses=True) as admin:
        assert [(entry["reason"], entry["object"]) for entry in admin.acl_log()] == []


@pytest.mark.parametrize(
    "word",
    [
        "FLUSHALL",
        "KEYS *",
        "CONFIG GET *",
        "SHUTDOWN",
        "SET other 1",
        "GET celeryx",
        "CLIENT KILL TYPE normal",
        "ACL LIST",
        "MONITOR",
        "SCRIPT FLUSH",
        "PUBLISH x y",
    ],
)
def test_the_user_may_do_nothing_else(server: Secured, word: str) -> None:
    with (
        redis.Redis.from_url(f"{server.url}?ssl_ca_certs={server.authority.ca}", protocol=2) as client,
        redis.Redis.from_url(server.admin_url) as admin,
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*word.split(" "))
        admin.acl_log_reset()


@pytest.mark.parametrize("ca", ["another authority", "the system's authorities"])
def test_a_server_that_nobody_vouches_for_is_not_spoken_to(server: Secured, tmp_path: Path, ca: str) -> None:
    url = f"{server.url}?ssl_cert_reqs=required"
    if ca == "another authority":
        url += f"&ssl_ca_certs={authority(tmp_path / 'other').ca}"
    with pytest.raises(StoreUnavailable):
        RedisStore(connect(url, retries=0)).counts()
    with Celery(broker=url, backend=url, set_as_current=False) as app:
        with pytest.raises(Exception, match=r"(?i)certificate"):
            app.connection_for_write().ensure_connection(max_retries=1, interval_start=0)
        with pytest.raises(redis.exceptions.ConnectionError, match=r"(?i)certificate"):
            app.backend.client.ping()


def test_a_wrong_password_is_refused_in_words_without_it(server: Secured) -> None:
    url = server.url.replace("canary-acl", "wrong-acl") + f"?ssl_ca_certs={server.authority.ca}"
    with pytest.raises(StoreUnavailable) as caught:
        RedisStore(connect(url, retries=0)).counts()
    assert "wrong-acl" not in str(caught.value)
