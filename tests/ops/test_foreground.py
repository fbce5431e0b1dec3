"""`dispatcher redis`: a server where there is none, and patience where there is one."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from dispatcher.domain.errors import SettingsError, StoreUnavailable
from dispatcher.ops.embedded import EmbeddedRedis, run_foreground
from dispatcher.ops.embedded.server import ask, free_port

pytestmark = [pytest.mark.redis, pytest.mark.processes]

PROGRAM = """
    import sys
    from dataclasses import dataclass
    from pathlib import Path
    from dispatcher.ops import logs
    from dispatcher.ops.embedded import run_foreground

    @dataclass
    class Chosen:
        redis_is_configured: bool
        log_level: str = "INFO"
        log_format: str = "json"
        def secrets(self):
            return ()

    chosen = Chosen(sys.argv[3] == "configured")
    logs.configure(chosen, stream=sys.stdout)
    run_foreground(chosen, directory=Path(sys.argv[1]), port=int(sys.argv[2]))
"""


class Chosen:
    """Settings that name no server."""

    redis_is_configured = False


@contextmanager
def _running(
    directory: Path, port: int, configured: str = ""
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The process, and the first line of its log."""
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(directory), str(port), configured]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop_and_keeps_the_data(
    tmp_path: Path, number: signal.Signals
) -> None:
    port, directory = free_port(), tmp_path / ".dispatcher" / "redis"
    for life in (1, 2):
        with _running(directory, port) as (process, line):
            assert (line["event"], line["url"]) == ("redis_started", f"redis://127.0.0.1:{port}/0")
            with Redis(port=port) as client:
                assert client.incr("lives") == life
            process.send_signal(number)
            assert process.wait(timeout=20) == 0
        assert ask(port, "PING") is None


def test_those_who_are_connected_may_say_goodbye_first(tmp_path: Path) -> None:
    port = free_port()
    with _running(tmp_path, port) as (process, _), Redis(port=port) as worker:
        worker.ping()
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "redis_stopping"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        assert worker.set("acknowledged", "late")
        worker.close()
        assert process.wait(timeout=20) == 0
    with (
        EmbeddedRedis(tmp_path, keep=True) as redis,
        Redis.from_url(redis.url, decode_responses=True) as client,
    ):
        assert client.get("acknowledged") == "late"


def test_where_a_server_is_configured_none_is_started(tmp_path: Path) -> None:
    port = free_port()
    with _running(tmp_path, port, "configured") as (process, line):
        assert line["event"] == "redis_configured"
        assert ask(port, "PING") is None
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert list(tmp_path.iterdir()) == []


def test_where_a_server_answers_none_is_started(tmp_path: Path) -> None:
    with (
        EmbeddedRedis(tmp_path / "other") as redis,
        _running(tmp_path / "ours", redis.port) as (process, line),
    ):
        assert (line["event"], line["port"]) == ("redis_found", redis.port)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert ask(redis.port, "PING") == "PONG"
    assert not (tmp_path / "ours").exists()


def test_a_server_that_ends_by_itself_ends_the_command(tmp_path: Path) -> None:
    with _running(tmp_path, free_port()) as (process, line):
        os.kill(line["pid"], signal.SIGKILL)
        assert process.wait(timeout=20) == 1


def test_a_server_that_wants_a_password_is_told_apart(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as redis, Redis.from_url(redis.url) as client:
        client.config_set("requirepass", "pw")
        with pytest.raises(SettingsError, match="DISPATCHER_REDIS_URL"):
            run_foreground(Chosen(), directory=tmp_path, port=redis.port)


def test_a_port_that_something_else_has_is_an_error(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(StoreUnavailable, match=r"(?i)in use"),
    ):
        run_foreground(Chosen(), directory=tmp_path, port=taken.getsockname()[1])
