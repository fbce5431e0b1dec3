"""A network that outlives its process: every call is kept in a file, and made again when the file is opened again.

The network is a function of its seed, its configuration and its calls at their times, faults included. So the calls
are the state: nothing else has to be saved, and a process that is killed loses nothing that a client was told.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from dispatcher.simulator.app import App
from dispatcher.simulator.messages import Call, Reply
from dispatcher.simulator.network import Network


class JournalError(Exception):
    """The file is no journal, or one of another network."""


class JournalClock:
    """A clock that can be held still while one call is answered, so that the call can be repeated exactly."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.held: float | None = None

    def __call__(self) -> float:
        return self._clock() if self.held is None else self.held


class JournaledApp(App):
    """Writes each call down before it is answered. `Journal.open` makes it."""

    def __init__(self, network: Network, clock: JournalClock, file: TextIO) -> None:
        super().__init__(network)
        self._clock, self._file = clock, file

    def handle(self, call: Call) -> Reply:
        with self.network.lock:
            at = self._clock()
            self._file.write(json.dumps(_line(at, call), separators=(",", ":")) + "\n")
            self._file.flush()
            return self.again(at, call)

    def close(self) -> None:
        """Close the file; nothing can be answered any more."""
        self._file.close()

    def again(self, at: float, call: Call) -> Reply:
        """Answer `call` as it was, or will be, answered at that time."""
        self._clock.held = at
        try:
            return super().handle(call)
        finally:
            self._clock.held = None


def open_journal(
    path: Path,
    clock: Callable[[], float],
    identity: dict[str, Any],
    make: Callable[[Callable[[], float]], Network],
) -> JournaledApp:
    """The network of the journal at `path`, brought back as it was; a new one where there is no such file.

    `identity` is what the network is made of (seed, accounts, faults, …): a journal of another one is refused with
    `JournalError`. `make` makes the network on the clock that it is given.
    """
    known = _lines(path)
    held = JournalClock(clock)
    first: dict[str, Any] = json.loads(known[0]) if known else {"started": clock(), "identity": identity}
    if first.get("identity") != identity:
        raise JournalError(
            f"{path.name} is the journal of a network with other options: give the same, or another file"
        )
    held.held = first["started"]
    network = make(held)
    held.held = None
    calls = [_read(path, number, text) for number, text in enumerate(known[1:], start=2)]
    path.touch(mode=0o600)  # the calls' keys are in it
    file = path.open("a", encoding="utf-8")
    if not known:
        file.write(json.dumps(first, separators=(",", ":")) + "\n")
        file.flush()
    app = JournaledApp(network, held, file)
    for at, call in calls:
        app.again(at, call)
    return app


def _lines(path: Path) -> list[str]:
    """The whole lines. A torn last one, of a process that was killed while writing, is cut off: nobody was answered."""
    if not path.exists():
        return []
    whole, newline, torn = path.read_text(encoding="utf-8").rpartition("\n")
    if torn:
        path.write_text(whole + newline, encoding="utf-8")
    return whole.splitlines()


def clock_of(path: Path) -> str | None:
    """The clock that the journal at `path` was begun with, as its identity names it."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as file:
        text = json.loads(file.readline() or "{}").get("identity", {}).get("clock")
    return text if isinstance(text, str) else None


def _line(at: float, call: Call) -> dict[str, Any]:
    return {
        "at": at,
        "method": call.method,
        "path": call.path,
        "query": call.query,
        "headers": dict(call.headers),
        "body": base64.b64encode(call.body).decode("ascii"),
    }


def _read(path: Path, number: int, text: str) -> tuple[float, Call]:
    try:
        line = json.loads(text)
        body = base64.b64decode(line["body"])
        return line["at"], Call(line["method"], line["path"], line["query"], line["headers"], body)
    except (ValueError, KeyError, TypeError) as e:
        raise JournalError(f"{path.name}, line {number}, is no call") from e
