"""The processes of the proof: a Redis server that can be killed, the network with faults, workers and beats."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import redis

from dispatcher.ops.clock import poll
from dispatcher.ops.embedded import find_server
from dispatcher.ops.embedded.server import HOST, free_port
from tests.processes.station import PATIENCE, Process, Station

WORKERS = ("worker-1", "worker-2", "worker-3")
BEATS = ("beat-1", "beat-2")
BROKER_KEYS = ("dispatcher", "celery", "unacked", "unacked_index", "unacked_mutex")


class Child(Process):
    """A process of which one can ask whether it ended."""

    def has_ended(self) -> bool:
        return self._child.poll() is not None


@contextmanager
def undisturbed() -> Iterator[None]:
    """A signal that comes meanwhile is handled at the end: between the start of a process and the moment from which
    it has an owner. For the main thread."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.signal(number, lambda which, _: came.append(which)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


class Redis:
    """A server on a fixed port with fixed files. Every write is on the disk before it is answered
    (`appendfsync always`): what was accepted is kept, whatever the moment of the kill."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._log = directory / "server.log"
        self._port = free_port()
        options = {
            "--bind": HOST,
            "--port": str(self._port),
            "--dir": str(directory),
            "--logfile": str(directory / "redis.log"),
            "--appendonly": "yes",
            "--appendfsync": "always",
            "--save": "",
            "--maxmemory-policy": "noeviction",
        }
        self._command = [str(find_server()), *(word for option in options.items() for word in option)]
        self.client = redis.Redis(port=self._port, socket_timeout=5)
        self._process: Process | None = None
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self._port}/0"

    def _start(self) -> None:
        with undisturbed():
            self._process = Process("redis", self._command, dict(os.environ), self._log)
        if not poll(self._answers, within=PATIENCE, every=0.02):
            raise RuntimeError("the Redis server does not answer")

    def _answers(self) -> bool | None:
        try:
            return bool(self.client.ping()) or None
        except redis.RedisError:
            return None

    def kill_and_restart(self) -> None:
        self._kill()
        self._start()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.end(signal.SIGKILL)

    def close(self) -> None:
        self.client.close()
        self._kill()


class Field(Station):
    """A station with faults, accounts and a speed of its own, whose workers and beats can be replaced."""

    def __init__(
        self,
        directory: Path,
        store: Redis,
        *,
        speed: float,
        seed: int,
        credits_usd: Mapping[str, Decimal],
        faults: list[dict[str, Any]],
    ) -> None:
        plan = directory / "faults.json"
        plan.write_text(json.dumps(faults), encoding="utf-8")
        accounts = [
            f"--account=nos_rich={credits_usd['default']}",
            f"--account=nos_poor={credits_usd['poor']}",
        ]
        self._options = [f"--speed={speed}", f"--seed={seed}", f"--faults={plan}", *accounts]
        self.store, self.speed = store, speed
        try:
            super().__init__(directory, store.url)
        except BaseException:
            self.close()
            raise

    def _start_network(self, port: str) -> tuple[Process, dict[str, Any]]:
        # fmt: off
        command = [
            sys.executable, "-m", "dispatcher", "simulate", "--json", "--port", port,
            "--journal", str(self._journal), *self._options,
        ]
        # fmt: on
        process = self._start("network", command, dict(os.environ))
        ready: dict[str, Any] = json.loads(process.first_line())
        return process, ready

    def launch(self, name: str) -> Child:
        """Start a worker or a beat without waiting until it is ready."""
        if name in WORKERS:
            command = ["worker", "--loglevel", "INFO", "--hostname", f"{name}@%h"]
        else:
            command = ["beat", "--schedule", str(self._directory / f"schedule-{name}")]
        log = self._directory / f"{name}.log"
        with undisturbed():
            process = Child(name, ["celery", "-A", "dispatcher", *command], self.env, log)
            self._running.append(process)
        return process

    def _start(self, name: str, command: list[str], env: dict[str, str]) -> Process:
        with undisturbed():
            return super()._start(name, command, env)

    def heal(self) -> None:
        """No more faults on the network."""
        httpx.post(f"{self.api_url}/simulator/faults", json=[]).raise_for_status()

    def ledger(self) -> dict[str, Any]:
        """What the network wrote down, without the single calls."""
        answer: dict[str, Any] = httpx.get(
            f"{self.api_url}/simulator/ledger", params={"calls": 0}, timeout=30
        ).json()
        return answer


@contextmanager
def field(directory: Path, **options: Any) -> Iterator[Field]:
    """A field whose processes all end with the block."""
    store = Redis(directory / "redis")
    try:
        built = Field(directory, store, **options)
        try:
            yield built
        finally:
            built.close()
    finally:
        store.close()
