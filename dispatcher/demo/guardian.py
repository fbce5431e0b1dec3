"""Owns every process and every file of the demo, and ends them with it, however it ends.

    python -m dispatcher.demo.guardian [LOG-DIRECTORY]

A process of its own, in a session of its own, so that neither Ctrl-C nor SIGKILL to the demo reaches it. Its standard
input is a pipe whose other end the demo holds: at the line `stop`, or when it closes, everything is ended and removed;
at the line `kill` the processes are not asked any more. Its standard output is one JSON object a line:
`{"event": "starting", "what"}`, `{"event": "ready", "settings", "clock", "directory", "logs"}`, and
`{"event": "failed", "what", "tail"}` when a process ended that should not have.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from dispatcher.demo import family, processes
from dispatcher.demo.scenario import SPEED
from dispatcher.domain.errors import DispatcherError
from dispatcher.ops.clock import monotonic, start_clock
from dispatcher.ops.embedded import EmbeddedRedis

_PATIENCE: Final = 8.0
"""Seconds that processes get to end when they are asked to; honcho gives the workers five of them."""

_NETWORK_STARTS_WITHIN: Final = 30.0
_REDIS_ANSWERS_WITHIN: Final = 5.0

_LOOK: Final = 0.1


class Lifeline:
    """The pipe to the demo. `over`: the demo wants the end, or is gone; `hurry`: it wants it without asking."""

    def __init__(self, descriptor: int) -> None:
        self._open = [descriptor]
        self.over = False
        self.hurry = False

    def wait(self, seconds: float) -> None:
        """Wait until the demo says something, at most so long."""
        for descriptor in select.select(self._open, [], [], seconds)[0]:
            said = os.read(descriptor, 64)
            self.over = True
            self.hurry = self.hurry or b"kill" in said
            if not said:
                self._open = []

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait for `done`, at most so long, and no longer than the demo has patience; whether it came about."""
        deadline = monotonic() + seconds
        while not (finished := done()) and not self.hurry and monotonic() < deadline:
            self.wait(_LOOK)
        return finished


class Failed(Exception):
    """A process did not start, or ended; `tail`: the last lines of its log."""

    def __init__(self, what: str, tail: Sequence[str]) -> None:
        super().__init__(what)
        self.what, self.tail = what, list(tail)


class Gone(Exception):
    """The demo let go."""


def say(event: str, **fields: Any) -> None:
    """One line to the demo; where it is gone already, nobody needs to know."""
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()


def guard(logs: Path | None) -> None:
    """Start everything, watch it until the demo lets go, end everything."""
    family.adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The pipe alone decides. A handler that does nothing, since what is ignored is ignored by children, too.
        signal.signal(number, lambda _number, _frame: None)
    lifeline = Lifeline(sys.stdin.fileno())
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-demo-")))
        try:
            (logs or directory).mkdir(parents=True, exist_ok=True)
            _run(stack, lifeline, directory, logs or directory)
        except Gone:
            pass
        except Failed as e:
            say("failed", what=e.what, tail=e.tail)
        except (DispatcherError, OSError) as e:
            say("failed", what=str(e), tail=[])


def _run(stack: ExitStack, lifeline: Lifeline, directory: Path, logs: Path) -> None:
    given = dict(os.environ)
    say("starting", what="Redis", directory=str(directory))
    redis_url, prefix, redis_runs = _redis(stack, directory, given)
    say("starting", what="the simulated network", directory=str(directory))
    clock = start_clock(SPEED)
    network_process, network = _network(stack, lifeline, directory, logs, clock)
    told = processes.settings(network, redis_url, prefix, given)
    say("starting", what="workers and beat", directory=str(directory))
    workers = _workers(stack, lifeline, directory, logs, processes.environment(given, told))
    say("ready", settings=told, clock=clock, logs=str(logs))
    while not lifeline.over:
        lifeline.wait(_LOOK)
        if workers.poll() is not None:
            raise Failed("a worker or beat ended", tail(logs / "workers.log"))
        if network_process.poll() is not None:
            raise Failed("the simulated network ended", tail(logs / "network.log"))
        if not redis_runs():
            raise Failed("Redis ended", tail(directory / "redis" / "redis.log"))


def _redis(stack: ExitStack, directory: Path, given: dict[str, str]) -> tuple[str, str, Callable[[], bool]]:
    """The server's address, what our keys there begin with, and whether it runs (as far as that is ours to know)."""
    if url := given.get("DISPATCHER_REDIS_URL"):
        try:
            with Redis.from_url(url, socket_timeout=_REDIS_ANSWERS_WITHIN) as named:
                named.ping()
        except (RedisError, ValueError) as e:
            raise Failed(
                f"DISPATCHER_REDIS_URL: no Redis server answers there ({type(e).__name__})", []
            ) from e
        prefix = f"demo-{token_hex(6)}"
        stack.callback(_remove_keys, url, prefix)
        return url, prefix, lambda: True
    server = stack.enter_context(EmbeddedRedis(directory / "redis", keep=True))
    return server.url, "demo", server.is_running


def _remove_keys(url: str, prefix: str) -> None:
    with suppress(RedisError), Redis.from_url(url) as server:
        for key in server.scan_iter(f"*{prefix}*", count=1000):
            server.delete(key)


def _network(
    stack: ExitStack, lifeline: Lifeline, directory: Path, logs: Path, clock: str
) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    log = logs / "network.log"
    command = processes.network_command(clock, processes.write_faults(directory))
    environment = processes.environment(os.environ, {})
    process = stack.enter_context(_running(command, directory, environment, log, lifeline, subprocess.PIPE))
    if process.stdout is None:
        raise Failed("the simulated network has no output", [])
    deadline = monotonic() + _NETWORK_STARTS_WITHIN
    while not select.select([process.stdout], [], [], _LOOK)[0]:
        lifeline.wait(0)
        if lifeline.over:
            raise Gone
        if monotonic() > deadline:
            raise Failed("the simulated network does not start", tail(log))
    line = process.stdout.readline()
    if not line:
        raise Failed("the simulated network ended", tail(log))
    return process, json.loads(line)


def _workers(
    stack: ExitStack, lifeline: Lifeline, directory: Path, logs: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    if lifeline.over:
        raise Gone
    ours = family.descendants([os.getpid()])
    # What honcho leaves behind is a child of this process then, and no descendant of the others.
    stack.callback(family.kill_all_but, ours)
    command = processes.workers_command(processes.find_procfile(directory))
    return stack.enter_context(_running(command, directory, environment, logs / "workers.log", lifeline))


@contextmanager
def _running(
    command: list[str],
    directory: Path,
    environment: dict[str, str],
    log: Path,
    lifeline: Lifeline,
    output: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that logs to `log` and is ended on the way out: asked first, and killed if it does not hear."""
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603 - commands of our own
            command,
            cwd=directory,  # where beat writes its schedule
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file if output is None else output,
            stderr=file,
            start_new_session=True,
            preexec_fn=family.die_with_parent(),  # noqa: PLW1509 - safe: this process has one thread
        )
    try:
        yield process
    finally:
        process.terminate()
        if not lifeline.until(lambda: process.poll() is not None, _PATIENCE):
            family.kill({process.pid, *family.descendants([process.pid])})
        process.wait()


def tail(log: Path, lines: int = 20) -> list[str]:
    """The last lines of a log file; none if there is no such file."""
    with suppress(OSError):
        return log.read_text(errors="replace").splitlines()[-lines:]
    return []


if __name__ == "__main__":
    guard(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
