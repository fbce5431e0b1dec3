"""Many processes' ticks at once, on a real server: each occurrence is one job."""

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from dispatcher.domain.ids import JobId
from dispatcher.engine import timetable
from dispatcher.engine.schedules import tick
from dispatcher.store.redis import RedisLedger, RedisSchedules, RedisStore, connect
from tests.engine.test_schedules import request, schedule
from tests.servers import redis_client, redis_url
from tests.world import FakeClock, World

__all__ = ["redis_client", "redis_url"]

THREADS = 4
OCCURRENCES = 12


@pytest.fixture
def worlds(redis_url: str, redis_client: redis.Redis) -> Iterator[list[World]]:
    """Worlds of several processes over one store and one clock; their bells are never answered."""
    clock, numbers = FakeClock(), itertools.count(1)
    with connect(redis_url) as client:
        made = []
        for _ in range(THREADS):
            world = World()
            world.clock = clock
            world.parts = replace(
                world.parts,
                clock=clock,
                store=RedisStore(client, "test"),
                schedules=RedisSchedules(client, "test"),
                ledger=RedisLedger(client, "test"),
                new_id=lambda: JobId(f"job_{next(numbers):024x}"),
            )
            made.append(world)
        yield made


@pytest.mark.redis
@pytest.mark.parametrize("overlap", ["queue", "skip"])
def test_ticks_at_once(worlds: list[World], overlap: str) -> None:
    parts, clock = worlds[0].parts, worlds[0].clock
    timetable.add(parts, schedule(cron=None, every="1s", overlap=overlap, misfire="all", request=request()))
    barrier = threading.Barrier(THREADS, timeout=30)

    def process(world: World) -> None:
        for _ in range(OCCURRENCES):
            if barrier.wait() == 0:
                clock.move(1)
            barrier.wait()
            tick(world.parts)
            barrier.wait()

    threads = [threading.Thread(target=process, args=(world,), daemon=True) for world in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    state = timetable.known(parts, "nightly").state
    ids = [job.spec.request_id for job in parts.store.list_jobs(limit=1000)]
    assert len(ids) == len(set(ids)) == state.enqueued == (10 if overlap == "queue" else 1)
    assert state.enqueued + state.skipped + state.missed == OCCURRENCES
    assert state.pending is None
