"""`dispatcher redis`: a Redis server where there is none, in the foreground, for the Procfile."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Protocol

import structlog

from dispatcher.domain.errors import SettingsError, StoreUnavailable
from dispatcher.ops.clock import poll
from dispatcher.ops.embedded.server import HOST, EmbeddedRedis, ask

DIRECTORY = Path(".dispatcher/redis")
PORT = 6379

_DRAIN = 3.0
"""Seconds that the workers, which are told to stop at the same moment, get to say goodbye to the server. honcho
kills what is left after five."""

_log = structlog.get_logger(__name__)


class RedisSettings(Protocol):
    """What is asked of the settings here."""

    @property
    def redis_is_configured(self) -> bool:
        """Whether somebody named a Redis server."""
        ...


def run_foreground(settings: RedisSettings, *, directory: Path = DIRECTORY, port: int = PORT) -> None:
    """Run a Redis server on 127.0.0.1:`port` with its data in `directory`, until SIGINT or SIGTERM.

    Where the settings name a server, or one answers on that port already, that is logged and nothing is run; the
    call still returns only at the signal, since process managers stop everything when one process ends. Call it
    in the main thread.

    Raises `SettingsError` if there is no server program or the server on the port wants a password, and
    `StoreUnavailable` if the server does not start (something else has the port) or ends by itself.
    """
    with _stop_signal() as stop:
        if settings.redis_is_configured:
            _log.info("redis_configured", variable="DISPATCHER_REDIS_URL")
            stop.wait()
        elif _is_there(port):
            _log.info("redis_found", port=port)
            stop.wait()
        else:
            _serve(stop, directory, port)


def _serve(stop: threading.Event, directory: Path, port: int) -> None:
    with EmbeddedRedis(directory, port, keep=True) as server:
        _log.info("redis_started", url=server.url, directory=str(directory), pid=server.pid)
        while not stop.wait(1.0):
            if not server.is_running():
                raise StoreUnavailable(
                    f"the embedded Redis server ended; its log is {directory / 'redis.log'}"
                )
        _log.info("redis_stopping")
        poll(lambda: _is_left_alone(port), within=_DRAIN, every=0.05)


def _is_there(port: int) -> bool:
    answer = ask(port, "PING")
    if answer is not None and answer.startswith("-NOAUTH"):
        raise SettingsError(
            f"the Redis server on port {port} wants a password: "
            f"set DISPATCHER_REDIS_URL to redis://:<password>@{HOST}:{port}/0"
        )
    return answer == "PONG"


def _is_left_alone(port: int) -> bool | None:
    """True when nobody but the asking connection is connected, or the server is gone; None: ask again."""
    clients = re.search(r"connected_clients:(\d+)", ask(port, "INFO clients") or "")
    return True if clients is None or int(clients[1]) <= 1 else None


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set."""
    stop = threading.Event()

    def set_it(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, set_it) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
