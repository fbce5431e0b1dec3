"""The demo's side of the guardian: started, listened to, let go."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import IO, Any, Final, Self

from dispatcher.demo import family
from dispatcher.demo.guardian import tail
from dispatcher.demo.interruption import Interruption

_STARTS_WITHIN: Final = 60.0
_ENDS_WITHIN: Final = 30.0
_LOOK: Final = 0.1


class ServiceFailed(Exception):
    """A process of the demo did not start, or ended; the message shows the last lines of its log."""

    def __init__(self, what: str, tail: list[str]) -> None:
        super().__init__("\n".join([what, *(f"  | {line}" for line in tail)]))


@dataclass(frozen=True, slots=True)
class Ready:
    """What the guardian said when everything ran: the dispatcher's settings, the clock's text, the directories."""

    settings: dict[str, str]
    clock: str
    logs: Path


class Services:
    """A context manager: while it is entered, the guardian runs. `told` is called with what it starts."""

    def __init__(
        self, interruption: Interruption, told: Callable[[str], None], *, keep_logs: Path | None = None
    ) -> None:
        self._interruption, self._told, self._keep_logs = interruption, told, keep_logs
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._noise: deque[str] = deque(maxlen=20)
        self._guardian: subprocess.Popen[str] | None = None
        self._ready: Ready | None = None
        self._directory: Path | None = None
        """Where the guardian keeps its files; it removes them, unless it is killed."""
        self._others: set[int] = set()

    def __enter__(self) -> Self:
        # Should the guardian be killed, what it leaves becomes ours, and is ended below.
        family.adopt_orphans()
        self._others = family.descendants([os.getpid()])
        keep = [] if self._keep_logs is None else [str(self._keep_logs.resolve())]
        self._guardian = subprocess.Popen(  # noqa: S603 - a module of our own
            [sys.executable, "-m", "dispatcher.demo.guardian", *keep],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        if self._guardian.stdout is not None:
            reader = threading.Thread(target=self._read, args=(self._guardian.stdout,), daemon=True)
            reader.start()
        self._interruption.again = self._hurry
        return self

    def __exit__(self, *_: object) -> None:
        guardian = self._guardian
        if guardian is None or guardian.stdin is None:
            return
        self._send(b"stop\n")
        with suppress(subprocess.TimeoutExpired):
            guardian.wait(_ENDS_WITHIN)
        self._interruption.again = None
        with suppress(OSError):
            guardian.stdin.close()
        if guardian.poll() != 0:
            guardian.kill()
            guardian.wait()
            family.kill_all_but(self._others)
            if self._directory is not None:
                rmtree(self._directory, ignore_errors=True)

    def start(self) -> Ready:
        """Wait until everything runs. Raises `ServiceFailed`, `Interrupted`."""
        for _ in range(int(_STARTS_WITHIN / _LOOK)):
            self._interruption.wait(_LOOK)
            self._interruption.check()
            self.check()
            if self._ready is not None:
                return self._ready
        raise ServiceFailed("the processes do not start", list(self._noise))

    def check(self) -> None:
        """Raises `ServiceFailed` if a process ended that should not have."""
        while True:
            try:
                message = self._messages.get_nowait()
            except queue.Empty:
                return
            match message:
                case {"event": "starting", "what": what, "directory": place}:
                    self._directory = Path(place)
                    self._told(f"starting {what}")
                case {
                    "event": "ready",
                    "settings": settings,
                    "clock": clock,
                    "logs": logs,
                }:
                    self._ready = Ready(settings, clock, Path(logs))
                case {"event": "failed", "what": what, "tail": lines}:
                    raise ServiceFailed(what, lines)
                case _:
                    raise ServiceFailed("the guardian of the processes ended", list(self._noise))

    def death(self) -> str | None:
        """What ended that should not have, if that comes to light within a second; else None.

        For whoever met an error: a server that is gone is met before the guardian has looked.
        """
        for _ in range(int(1 / _LOOK)):
            try:
                self.check()
            except ServiceFailed as e:
                return str(e)
            self._interruption.wait(_LOOK)
        return None

    def worker_log(self) -> list[str]:
        """The last lines of what workers and beat logged."""
        return tail(self._ready.logs / "workers.log") if self._ready is not None else []

    def _hurry(self) -> None:
        self._send(b"kill\n")

    def _send(self, line: bytes) -> None:
        """Past the buffer of the stream: this is also called in a signal's handler."""
        if self._guardian is not None and self._guardian.stdin is not None:
            with suppress(OSError, ValueError):
                os.write(self._guardian.stdin.fileno(), line)

    def _read(self, output: IO[str]) -> None:
        for line in output:
            try:
                message = json.loads(line)
            except ValueError:
                message = None
            if isinstance(message, dict):
                self._messages.put(message)
            else:
                self._noise.append(line.rstrip())
        self._messages.put(None)
