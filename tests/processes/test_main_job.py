"""The main job through real processes: three ways in, and processes that are killed on the way."""

import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from dispatcher.domain.words import Reason, State
from tests.processes.station import PATIENCE, Station

pytestmark = pytest.mark.processes

MARKET = "nvidia-3060"
SECRET = "canary-5f1c9d"
PLACE = "definition.ops[0].args.env.TOKEN"


def definition(**simulated: Any) -> dict[str, Any]:
    return {
        "version": "0.1",
        "type": "container",
        "meta": {"trigger": "test", "simulated": simulated},
        "ops": [
            {
                "type": "container/run",
                "id": "main",
                "args": {"image": "ubuntu", "cmd": "run", "env": {"TOKEN": SECRET}},
            }
        ],
    }


def write(path: Path, document: object) -> str:
    path.write_text(json.dumps(document))
    return str(path)


def python(place: Station, code: str) -> Any:
    """What a program of an application prints, as JSON."""
    done = place.run("python", "-c", code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_three_ways_in_lead_to_the_same_end(place: Station, tmp_path: Path) -> None:
    worker = place.start_worker("one")
    file = write(tmp_path / "job.json", definition(runs_for="25m"))
    # fmt: off
    shell = place.json(
        "enqueue", file, "--market", MARKET, "--timeout", "10m", "--extend-by", "10m",
        "--max-runtime", "4h", "--max-cost", "2.50", "--request-id", "shell", "--allow-secret", PLACE,
    )
    # fmt: on
    assert shell["new"]

    request = {
        "definition": definition(runs_for="25m"),
        "market": MARKET,
        "timeout": "10m",
        "policies": {"extend": {"by": "10m"}},
        "allow_secrets": [PLACE],
    }
    code = f"""
import json
from dispatcher import JobRequest, enqueue
handle = enqueue(JobRequest(**{request!r}, request_id="python"))
again = enqueue(JobRequest(**{request!r}, request_id="python"))
print(json.dumps([handle.id, handle.new, again.id == handle.id, again.new]))
"""
    from_python, new, same, new_again = python(place, code)
    assert (new, same, new_again) == (True, True, False)

    url = place.env["DISPATCHER_REDIS_URL"]
    with Celery("another application", broker=url, backend=url, set_as_current=False) as other:
        called_back = {"callback": {"task": "billing.job_ended", "queue": "billing", "kwargs": {"order": 17}}}
        submitted = other.send_task(
            "dispatcher.submit", kwargs={**request, **called_back, "request_id": "celery"}
        )
        from_celery = submitted.get(timeout=PATIENCE)
        assert from_celery["new"]
        refused = other.send_task("dispatcher.submit", kwargs={**request, "timeout": "10", "markt": "x"})
        with pytest.raises(ValueError, match="timeout: 10 has no unit") as error:
            refused.get(timeout=PATIENCE)
        assert sorted(fault["path"] for fault in error.value.args[1]) == ["markt", "timeout"]

        with other.connection_for_read() as connection, connection.SimpleQueue("billing") as queue:
            told = queue.get(timeout=PATIENCE)
            told.ack()
    job_id, summary = told.payload[0]
    assert (told.headers["task"], told.headers["id"]) == ("billing.job_ended", f"{from_celery['id']}:ended")
    assert (job_id, summary["state"], told.payload[1]) == (from_celery["id"], "completed", {"order": 17})

    ends = [place.ended(job_id) for job_id in (shell["id"], from_python, from_celery["id"])]
    assert [(end["state"], end["extends"], end["exit_code"]) for end in ends] == [("completed", 2, 0)] * 3
    assert {end["cost"]["settled_usd"] for end in ends} == {"0.020"}
    balance = place.json("balance")
    assert Decimal(balance["settled_usd"]) == Decimal(balance["jobs_settled_usd"]) == Decimal("0.060")
    assert Decimal(balance["held_usd"]) == Decimal(balance["reserved_usd"]) == 0
    assert place.ledger()["duplicate_posts"] == 0
    # Definitions may hold secrets: no log line shows them.
    assert SECRET not in worker.log.read_text()


def test_killed_processes_lose_nothing_and_double_nothing(place: Station, tmp_path: Path) -> None:
    """Workers, beat and the network are killed in the middle of the jobs; for some seconds nobody is there at all.

    A second is two minutes of the network's time: the time-outs leave room for the start of new workers, and for the
    leases of those that were killed.
    """
    one, two, beat = place.start_worker("one"), place.start_worker("two"), place.start_beat()
    file = write(tmp_path / "job.json", definition(runs_for="80m"))
    # fmt: off
    ids = [
        place.json(
            "enqueue", file, "--market", MARKET, "--timeout", "70m", "--extend-by", "70m", "--extend-margin", "30m",
            "--request-id", f"job-{number}", "--allow-secret", PLACE,
        )["id"]
        for number in range(6)
    ]
    # fmt: on

    for job_id in ids:
        place.until(job_id, lambda job: job.state is State.RUNNING)
    one.end(signal.SIGKILL)
    beat.end(signal.SIGKILL)
    place.restart_network()
    two.end(signal.SIGKILL)
    place.start_worker("three")
    place.start_beat()
    ends = [place.ended(job_id) for job_id in ids]
    assert [(end["state"], end["extends"]) for end in ends] == [("completed", 1)] * len(ids)
    ledger = place.ledger()
    assert ledger["duplicate_posts"] == 0
    assert ledger["duplicate_extends"] == 0
    assert Decimal(place.json("balance")["held_usd"]) == 0


def test_operators_see_stop_and_inspect(place: Station, tmp_path: Path) -> None:
    place.start_worker("one")
    file = write(tmp_path / "job.json", definition(runs_for="20h"))
    running = place.json("enqueue", file, "--market", MARKET, "--timeout", "24h", "--allow-secret", PLACE)[
        "id"
    ]
    poor = ("--market", MARKET, "--timeout", "1h", "--account", "poor", "--allow-secret", PLACE)
    waiting = place.json("enqueue", file, *poor)["id"]
    place.until(running, lambda job: job.state is State.RUNNING)
    place.until(waiting, lambda job: job.reason is Reason.AWAITING_CREDIT)
    registered = place.run("celery", "-A", "dispatcher", "inspect", "registered")
    for name in ("submit", "dispatch", "poll", "extend", "stop", "sweep"):
        assert f"dispatcher.{name}" in registered.stdout
    place.json("stop", running)
    place.credit("nos_poor", "1")
    stopped = place.ended(running)
    assert (stopped["state"], stopped["reason"]) == ("stopped", "operator")
    place.until(waiting, lambda job: job.posts == 1)
    kinds = [
        json.loads(line)["kind"]
        for line in place.run("dispatcher", "events", waiting, "--json").stdout.splitlines()
    ]
    assert kinds[:2] == ["enqueued", "waited"]
    place.json("stop", waiting)
    place.ended(waiting)
