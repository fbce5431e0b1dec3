"""Schedules through real processes: two beats, one of which is killed and comes back."""

import signal
import sys
from pathlib import Path

import pytest

from dispatcher.domain.schedules import Schedule
from dispatcher.domain.schedules.state import begun, paused
from dispatcher.ops.clock import parse_clock, poll
from dispatcher.store.redis import RedisSchedules, RedisStore, connect
from tests.processes.station import PATIENCE, Process, Station
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


def test_two_beats_run_no_occurrence_twice_and_one_is_enough(place: Station, tmp_path: Path) -> None:
    client, clock = connect(place.env["DISPATCHER_REDIS_URL"]), parse_clock(place.env["DISPATCHER_CLOCK"])
    schedules, store = RedisSchedules(client), RedisStore(client)
    beats: list[Process] = []

    def beat(name: str) -> Process:
        command = [sys.executable, "-c", BEAT, str(tmp_path / f"{name}.schedule")]
        beats.append(Process(name, command, place.env, tmp_path / f"{name}.log"))
        return beats[-1]

    def enqueued(count: int) -> int:
        def there() -> int | None:
            kept = schedules.get("often")
            return kept.state.enqueued if kept and kept.state.enqueued >= count else None

        found = poll(there, within=PATIENCE, every=0.05)
        assert found is not None, schedules.get("often")
        return found

    def is_paused() -> int | None:
        """Paused between two ticks, with nothing begun; how many jobs there were until then."""
        kept = schedules.get("often")
        if kept is None or kept.state.pending is not None:
            return None
        saved = schedules.save(kept, paused(kept.state), wakes_at=None)
        return None if saved is None else saved.state.enqueued

    request = {"definition": definition(runs_for="30s"), "market": MARKET, "timeout": "10m"}
    said = {"name": "often", "every": "1m", "overlap": "queue", "misfire": "all", "up_to": 100}
    schedule = Schedule.parse({**said, "request": request})
    state = begun(schedule, clock.now())
    try:
        first, _ = beat("first"), beat("second")
        place.start_worker("one")
        assert schedules.create(schedule, state, source="store", wakes_at=state.next_at)
        enqueued(3)
        first.end(signal.SIGKILL)
        enqueued(enqueued(1) + 2)
        beat("first")
        count = poll(is_paused, within=PATIENCE, every=0.01)
        ids = [job.spec.request_id for job in store.list_jobs(limit=1000)]
        assert len(ids) == len(set(ids)) == count
        assert place.ledger()["duplicate_posts"] == 0
    finally:
        for process in beats:
            process.end(signal.SIGKILL)
        client.close()
