"""Schedules through real processes: two beats, one of which is killed and comes back."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.domain.errors import SettingsError
from dispatcher.ops.clock import poll
from dispatcher.ops.embedded import find_server
from dispatcher.store.redis import RedisSchedules, connect
from tests.processes.station import PATIENCE, Process, Station, station
from tests.world import MARKET, definition

pytestmark = pytest.mark.processes

# As `celery -A dispatcher beat`, but that its ticks come every 0.2 s: a day is not to be waited for.
BEAT = """
import sys
from dispatcher.celery import app
app.conf.beat_schedule["tick"]["schedule"] = 0.2
app.conf.beat_max_loop_interval = 0.2
app.start(["beat", "--loglevel", "INFO", "--schedule", sys.argv[1]])
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Station]:
    try:
        find_server()
    except SettingsError as e:
        if os.environ.get("CI"):
            pytest.fail(str(e))
        pytest.skip(str(e))
    with station(tmp_path) as built:
        yield built


def test_two_beats_run_no_occurrence_twice_and_one_is_enough(place: Station, tmp_path: Path) -> None:
    def beat(name: str) -> Process:
        process = Process(
            name,
            [sys.executable, "-c", BEAT, str(tmp_path / f"{name}.schedule")],
            place.env,
            tmp_path / f"{name}.log",
        )
        beats.append(process)
        return process

    beats: list[Process] = []
    schedules = RedisSchedules(connect(place.env["DISPATCHER_REDIS_URL"]))
    file = tmp_path / "job.json"
    file.write_text(json.dumps(definition(runs_for="30s")))
    try:
        first, _ = beat("first"), beat("second")
        place.start_worker("one")
        # fmt: off
        place.json(
            "schedule", "add", "often", str(file), "--every", "1m", "--overlap", "queue", "--misfire", "all",
            "--up-to", "100", "--market", MARKET, "--timeout", "10m",
        )
        # fmt: on

        def enqueued(count: int) -> int:
            def there() -> int | None:
                kept = schedules.get("often")
                return kept.state.enqueued if kept and kept.state.enqueued >= count else None

            found = poll(there, within=PATIENCE, every=0.05)
            assert found is not None, schedules.get("often")
            return found

        enqueued(3)
        first.end(signal.SIGKILL)
        enqueued(enqueued(1) + 2)
        beat("first")
        place.json("schedule", "pause", "often")

        def settled() -> int | None:
            kept = schedules.get("often")
            return kept.state.enqueued if kept and kept.state.pending is None else None

        count = poll(settled, within=PATIENCE, every=0.05)
        ids = [
            job["request_id"] for job in place.json("jobs", "--label", "schedule=often", "--limit", "1000")
        ]
        assert len(ids) == len(set(ids)) == count
        assert place.ledger()["duplicate_posts"] == 0
        assert schedules.last_tick() is not None
    finally:
        for process in beats:
            process.end(signal.SIGKILL)
