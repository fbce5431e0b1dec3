"""Redis is killed and comes back: workers wait for it, and go on with what they had."""

import json
import os
import signal
from pathlib import Path

import pytest

from dispatcher.domain.words import State
from dispatcher.ops.embedded import EmbeddedRedis
from tests.processes.station import Station
from tests.servers import need_server

pytestmark = pytest.mark.processes

DEFINITION = {
    "version": "0.1",
    "type": "container",
    "meta": {"simulated": {"runs_for": "4h"}},
    "ops": [{"type": "container/run", "id": "main", "args": {"image": "ubuntu"}}],
}


def test_workers_outlive_their_redis(tmp_path: Path) -> None:
    need_server()
    file = tmp_path / "job.json"
    file.write_text(json.dumps(DEFINITION))
    server = EmbeddedRedis(tmp_path / "redis", keep=True)
    station: Station | None = None
    try:
        server.__enter__()
        station = Station(tmp_path, server.url)
        workers = [station.start_worker("one"), station.start_worker("two")]
        enqueue = ("enqueue", str(file), "--market", "nvidia-3060", "--timeout", "8h")
        first = station.json(*enqueue)["id"]
        for _ in range(2):
            port = server.port
            os.kill(server.pid, signal.SIGKILL)
            server.__exit__(None, None, None)
            server = EmbeddedRedis(tmp_path / "redis", port, keep=True)
            server.__enter__()
            second = station.json(*enqueue)["id"]
            station.until(second, lambda job: job.state is State.RUNNING)
            assert all(worker.is_alive() for worker in workers), [
                worker.log.read_text()[-3000:] for worker in workers
            ]
        station.json("stop", first)
        assert station.ended(first)["state"] == "stopped"
    finally:
        if station is not None:
            station.close()
        server.__exit__(None, None, None)
