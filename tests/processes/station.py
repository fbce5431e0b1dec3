"""Everything as real processes on this machine: Redis, the simulated network, Celery workers and beat."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import redis

from dispatcher.domain.errors import StoreUnavailable
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.ops.clock import poll
from dispatcher.ops.embedded import EmbeddedRedis
from dispatcher.store.redis import RedisStore, connect

SPEED = 120
PATIENCE = 60.0


class Process:
    """A child with its output in a file; the whole group is ended with it."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command, env=env, stdout=subprocess.PIPE, stderr=output, start_new_session=True, text=True
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_alive(self) -> bool:
        return self._child.poll() is None

    def first_line(self) -> str:
        """What it prints first; fails with its log if it ends before."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, f"{self.name} ended:\n{self.log.read_text()[-2000:]}"
        threading.Thread(target=self._child.stdout.read, daemon=True).start()
        return line

    def logged(self, text: str) -> None:
        """Wait until its log has `text`."""
        found = poll(lambda: text in self.log.read_text() or None, within=PATIENCE, every=0.05)
        assert found, f"{self.name} never said {text!r}:\n{self.log.read_text()[-2000:]}"

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._child.poll() is None:
            os.killpg(self._child.pid, how)
        self._child.wait(timeout=PATIENCE)
        if self._child.stdout is not None:
            self._child.stdout.close()


class Station:
    """The processes and how to reach them. `env` is what an application or the command line is given."""

    def __init__(
        self,
        directory: Path,
        redis_url: str,
        *,
        keys: tuple[str, str] = ("nos_rich", "nos_poor"),
        jwt: str = "test-jwt",
    ) -> None:
        self._directory, self._keys, self._jwt = directory, keys, jwt
        self._journal = directory / "network.jsonl"
        self._running: list[Process] = []
        self._clients: dict[str, redis.Redis] = {}
        self.network, ready = self._start_network("0")
        self.port = ready["api_url"].rpartition(":")[2]
        self.api_url: str = ready["api_url"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
        self.env = {
            **kept,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "DISPATCHER_ENV_FILE": "",
            "DISPATCHER_REDIS_URL": redis_url,
            "DISPATCHER_NOSANA_API_URL": self.api_url,
            "DISPATCHER_NOSANA_API_KEY": keys[0],
            "DISPATCHER_IPFS_API_URL": ready["ipfs_api_url"],
            "DISPATCHER_IPFS_GATEWAY_URL": ready["ipfs_gateway_url"],
            "DISPATCHER_IPFS_JWT": ready["ipfs_jwt"],
            "DISPATCHER_ACCOUNTS__POOR__API_KEY": keys[1],
            "DISPATCHER_LEASE": "10s",
            "DISPATCHER_CLOCK": ready["clock"],
            # Days pass in minutes here, and the rate counts by the wall: it must not be what is measured.
            "DISPATCHER_REQUESTS_PER_SECOND": "500",
            "DISPATCHER_POLLS_PER_MINUTE": "30000",
            "DISPATCHER_LOG_FORMAT": "json",
        }

    def _start_network(self, port: str) -> tuple[Process, dict[str, Any]]:
        # fmt: off
        command = [
            sys.executable, "-m", "dispatcher", "simulate", "--json", "--port", port, "--speed", str(SPEED),
            "--account", f"{self._keys[0]}=100", "--account", f"{self._keys[1]}=0", "--journal", str(self._journal),
            "--ipfs-jwt", self._jwt,
        ]
        # fmt: on
        process = self._start("network", command, dict(os.environ))
        ready: dict[str, Any] = json.loads(process.first_line())
        return process, ready

    def restart_network(self) -> None:
        """Kill the simulated network and bring it back from its journal, on the same port."""
        self.network.end(signal.SIGKILL)
        self.network, _ = self._start_network(self.port)

    def start_worker(self, name: str) -> Process:
        command = ["celery", "-A", "dispatcher", "worker", "--loglevel", "INFO", "--hostname", f"{name}@%h"]
        process = self._start(name, command, self.env)
        process.logged("ready.")
        return process

    def start_beat(self) -> Process:
        schedule = str(self._directory / "schedule")
        process = self._start(
            "beat", ["celery", "-A", "dispatcher", "beat", "--schedule", schedule], self.env
        )
        process.logged("Starting")
        return process

    def _start(self, name: str, command: list[str], env: dict[str, str]) -> Process:
        process = Process(name, command, env, self._directory / f"{name}.log")
        self._running.append(process)
        return process

    def run(self, *command: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as a user would in a shell."""
        return subprocess.run(
            command, env=self.env, input=text, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def json(self, *command: str, text: str | None = None) -> Any:
        """The JSON that `dispatcher COMMAND ... --json` prints."""
        done = self.run("dispatcher", *command, "--json", text=text)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ledger(self) -> dict[str, Any]:
        """What the simulated network itself wrote down."""
        answer: dict[str, Any] = httpx.get(f"{self.api_url}/simulator/ledger").json()
        return answer

    def credit(self, api_key: str, dollars: str) -> None:
        httpx.post(
            f"{self.api_url}/simulator/credits", json={"account": api_key, "add": dollars}
        ).raise_for_status()

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job once it is over."""

        self.until(job_id, lambda job: job.state.is_final)
        shown: dict[str, Any] = self.json("show", job_id)
        return shown

    def until(self, job_id: str, comes_true: Callable[[Job], bool]) -> Job:
        """The job's record once that is true of it. Read from the store: a command line for each look would take half
        of the machine from the processes that are looked at."""

        def true() -> Job | None:
            try:
                job = self._store().load(JobId(job_id))
            except StoreUnavailable:
                return None
            return job if job is not None and comes_true(job) else None

        found = poll(true, within=PATIENCE, every=0.05)
        assert found is not None, self.json("show", job_id)
        return found

    def _store(self) -> RedisStore:
        url = self.env["DISPATCHER_REDIS_URL"]
        if url not in self._clients:
            self._clients[url] = connect(url)
        return RedisStore(self._clients[url])

    def close(self) -> None:
        for process in reversed(self._running):
            process.end(signal.SIGKILL)
        for client in self._clients.values():
            client.close()


@contextmanager
def station(directory: Path) -> Iterator[Station]:
    """A station with a Redis server of its own; workers and beat are for the test to start."""
    with EmbeddedRedis(directory / "redis") as server:
        built = Station(directory, server.url)
        try:
            yield built
        finally:
            built.close()
