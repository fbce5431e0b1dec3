"""The demo as a user starts it: real processes, and nothing left of them, however it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from dispatcher.demo.family import descendants
from dispatcher.ops.clock import poll
from dispatcher.ops.embedded import EmbeddedRedis
from dispatcher.ops.embedded.server import free_port

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc"),
]

MARK = "DEMO_OF_THIS_TEST"


class Demo:
    """A demo that runs, in a session of its own, and all processes that were ever seen below it."""

    def __init__(self, process: subprocess.Popen[str], mark: str, files: Path) -> None:
        self.process, self.mark, self.files = process, mark, files
        self.seen: set[int] = set()

    def read_until(self, text: str) -> None:
        """Read what it tells up to a line with `text`, and look at its processes then."""
        assert self.process.stderr is not None
        told = []
        for line in self.process.stderr:
            told.append(line)
            if text in line:
                self.seen |= descendants([self.process.pid])
                return
        raise AssertionError(f"the demo ended before it said {text!r}; it said:\n{''.join(told)}")

    def left(self) -> set[int]:
        """Its processes that are still there: those seen, and those that carry the mark in their environment."""
        there = {int(folder.name) for folder in Path("/proc").glob("[0-9]*") if alive(folder)}
        return (self.seen & there) | {number for number in there if self._is_marked(number)}

    def _is_marked(self, number: int) -> bool:
        try:
            environment = Path(f"/proc/{number}/environ").read_bytes()
        except OSError:
            return False
        return f"{MARK}={self.mark}".encode() in environment.split(b"\0")


def alive(folder: Path) -> bool:
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def demo(tmp_path: Path, *options: str, **settings: str) -> Iterator[Demo]:
    """`python -m dispatcher demo --json`, whose temporary files are all below `tmp_path`."""
    mark, files = uuid4().hex, tmp_path / "temporary"
    files.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
    with subprocess.Popen(
        [sys.executable, "-m", "dispatcher", "demo", "--json", *options],
        cwd=tmp_path,
        env={**environment, "TMPDIR": str(files), MARK: mark, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        running = Demo(process, mark, files)
        try:
            yield running
        finally:
            process.kill()
            for number in running.left():
                os.kill(number, signal.SIGKILL)


def test_it_shows_everything_and_adds_up(tmp_path: Path) -> None:
    with demo(tmp_path, "--keep-logs", "logs") as running:
        running.read_until("running")
        assert len(running.seen) >= 6  # guardian, Redis with its guard, network, honcho, workers, beat
        out, err = running.process.communicate()
        assert running.process.returncode == 0, err
        assert running.left() == set()
        assert list(running.files.iterdir()) == []
        assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "temporary"]
    assert "job_ended" in (tmp_path / "logs" / "workers.log").read_text()
    assert len(out.splitlines()) == 1
    told = json.loads(out, parse_float=Decimal)
    counts = {name: told[name] for name in ("jobs", "completed", "stopped", "failed", "rejected")}
    assert counts == {"jobs": 9, "completed": 3, "stopped": 3, "failed": 2, "rejected": 1}
    assert (told["posts"], told["extends"], told["duplicate_posts"]) == (8, 4, 0)
    assert told["balance_before_usd"] == Decimal("5.27")
    assert told["balance_before_usd"] - told["balance_after_usd"] == told["spent_usd"] > Decimal("0.8")
    assert told["credit_added_usd"] == Decimal("0.25")
    assert told["held_usd"] == 0
    assert "It lost 3 answers, which were asked for again; 0 were made twice." in err


@pytest.mark.parametrize(
    ("moment", "signals"),
    [
        ("starting Redis", [signal.SIGINT]),
        ("starting workers", [signal.SIGTERM]),
        ("whisper        running", [signal.SIGINT, signal.SIGINT]),
    ],
)
def test_an_interrupted_demo_leaves_nothing(
    tmp_path: Path, moment: str, signals: list[signal.Signals]
) -> None:
    with demo(tmp_path) as running:
        running.read_until(moment)
        for number in signals:
            running.process.send_signal(number)
            if number is not signals[-1]:
                running.read_until("Interrupted")
        out, err = running.process.communicate()
        assert running.process.returncode == 130, err
        assert "Traceback" not in err
        assert out == ""
        assert running.left() == set()
        assert list(running.files.iterdir()) == []


def test_a_killed_demo_leaves_nothing_either(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        running.read_until("running")
        running.process.kill()
        assert poll(lambda: True if not running.left() else None, within=30.0, every=0.1)
        assert poll(lambda: True if not list(running.files.iterdir()) else None, within=5.0, every=0.1)


@pytest.mark.parametrize(
    ("moment", "command", "says"),
    [
        ("running", [b"celery", b"worker"], "failed: a worker or beat ended"),
        ("starting workers", [b"dispatcher", b"simulate"], "failed: the simulated network ended"),
        ("starting workers", [b"ops/embedded/guard.py"], "failed: Redis ended"),
        ("starting workers", [b"dispatcher.demo.guardian"], "failed: the guardian of the processes ended"),
    ],
)
def test_a_process_that_dies_ends_the_demo(
    tmp_path: Path, moment: str, command: list[bytes], says: str
) -> None:
    with demo(tmp_path) as running:
        running.read_until(moment)
        os.kill(next(number for number in running.seen if is_running(number, command)), signal.SIGKILL)
        out, err = running.process.communicate()
        assert running.process.returncode == 1
        assert out == ""
        assert says in err
        assert "Traceback" not in err
        assert running.left() == set()
        assert list(running.files.iterdir()) == []


def is_running(number: int, words: list[bytes]) -> bool:
    """Whether it is the Python program of that command, not a shell or a process manager around it."""
    try:
        command = Path(f"/proc/{number}/cmdline").read_bytes()
        program = str(Path(f"/proc/{number}/exe").readlink())
    except OSError:
        return False
    return "python" in program and all(word in command for word in words) and b"honcho" not in command


def test_a_redis_server_of_the_user_is_used_and_left_clean(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as server, Redis.from_url(server.url) as client:
        with demo(tmp_path, DISPATCHER_REDIS_URL=server.url) as running:
            running.read_until("enqueued")
            assert any(b"demo-" in key for key in client.scan_iter())
            running.process.send_signal(signal.SIGINT)
            out, err = running.process.communicate()
            assert running.process.returncode == 130, err
            assert "Traceback" not in err
            assert out == ""
            assert running.left() == set()
        assert [key for key in client.scan_iter() if b"demo-" in key] == []


def test_a_redis_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    address = f"redis://:secret-password@127.0.0.1:{free_port()}/0"
    with demo(tmp_path, DISPATCHER_REDIS_URL=address) as running:
        _, err = running.process.communicate()
        assert running.process.returncode == 1
        assert "failed: DISPATCHER_REDIS_URL: no Redis server answers there" in err
        assert "secret-password" not in err
        assert running.left() == set()
