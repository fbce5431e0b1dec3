"""The ports as a simulation sees them: every call may be interleaved, may kill its worker, and is watched.

Watched here is what must hold at every moment and is not seen from the end: who saves a job under which claim,
and that every paid call was written down before it is sent.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from dispatcher.domain.events import CallExpired, CallIntended
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import FollowUp, Reason, State
from tests.simulation.turns import Baton, Killed, Told
from tests.world import FakeClock

STALLS = (0.5, 6.0, 32.0, 32.0, 130.0)
"""Seconds for which a worker stands still between two calls; a lease is 30."""


class WorkerClock:
    """A machine's own clock: it is `skew` seconds before or behind the others."""

    speed = 1.0

    def __init__(self, clock: FakeClock, skew: float) -> None:
        self._clock, self._skew = clock, skew

    def now(self) -> float:
        return self._clock.at + self._skew


class Crossing:
    """What every port call passes: a pause for others, a place to die, a line in the trace."""

    def __init__(self, rng: random.Random, baton: Baton, clock: FakeClock, told: Told) -> None:
        self.baton, self.clock, self.told = baton, clock, told
        self.pauses = self.stalls = self.dies = 0.0
        self.calls = 0
        self._rng = rng

    def cross(self, name: str, about: str, call: Callable[[], Any]) -> Any:
        """Make `call`, perhaps after others, or never, or without anybody left to take in its answer."""
        self.calls += 1
        turn = self.baton.current
        if turn is None:
            return call()
        chance = self._rng.random()
        if chance < self.stalls:
            seconds = self._rng.choice(STALLS)
            self.told(turn.name, f"stalls {seconds} s before {name}", about)
            turn.sleeps_until = self.clock.at + seconds
            self.baton.pause()
        elif chance < self.stalls + self.pauses:
            self.baton.pause()
        dies = self._rng.random() < self.dies
        if dies and self._rng.random() < 0.5:
            self.told(turn.name, f"dies before {name}", about)
            raise Killed(name)
        try:
            answer = call()
        except Exception as e:
            self.told(turn.name, f"{name} raises {type(e).__name__}", about)
            raise
        self.told(turn.name, f"{name} -> {_short(answer)}", about)
        if dies:
            self.told(turn.name, f"dies after {name}", about)
            raise Killed(name)
        return answer


class Port:
    """Any port, each of whose calls crosses."""

    def __init__(self, port: Any, crossing: Crossing, name: str) -> None:
        self._port, self._crossing, self._name = port, crossing, name

    def __getattr__(self, method: str) -> Any:
        value = getattr(self._port, method)
        if not callable(value):
            return value  # what it says of itself is no call
        name, crossing, watch = f"{self._name}.{method}", self._crossing, self._watch

        def crossed(*args: Any, **kwargs: Any) -> Any:
            watch(method, args, kwargs)
            return crossing.cross(name, _subject(args, kwargs), lambda: value(*args, **kwargs))

        setattr(self, method, crossed)
        return crossed

    def _watch(self, method: str, args: Any, kwargs: Any) -> None:
        """For those who look."""


class Books:
    """What the watched ports have seen, and what was wrong about it."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.claims: dict[JobId, int] = {}
        self.written: set[str] = set()
        self.stops: dict[JobId, float] = {}
        self.ended: dict[JobId, tuple[State, Reason]] = {}
        self.kinds: set[str] = set()


class WatchedStore:
    """The store. Claims, saved calls and ends are entered in the books at the moment they happen."""

    def __init__(self, store: Any, books: Books) -> None:
        self._store, self._books = store, books

    def __getattr__(self, method: str) -> Any:
        return getattr(self._store, method)

    def claim(self, job_id: JobId, **kwargs: Any) -> Any:
        claim = self._store.claim(job_id, **kwargs)
        if claim is not None:
            self._books.claims[job_id] = claim.token
        return claim

    def save(self, claim: Any, job: Any, log: Any, **kwargs: Any) -> Any:
        answer = self._store.save(claim, job, log, **kwargs)
        self._saved("saves", claim, job, log)
        return answer

    def release(self, claim: Any, job: Any, log: Any, **kwargs: Any) -> Any:
        answer = self._store.release(claim, job, log, **kwargs)
        self._saved("releases", claim, job, log)
        if not job.state.is_final and self._store.next_due(job.id) is None:
            self._books.wrong.append(f"{job.id}: is let go as {job.state} without a due time")
        return answer

    def command(self, job_id: JobId, command: Any, *, now: float) -> Any:
        answer = self._store.command(job_id, command, now=now)
        if command.kind == "stop":
            self._books.stops.setdefault(job_id, now)
        return answer

    def note_stray(self, stray: Any) -> Any:
        self._store.note_stray(stray)
        self._books.written.add(f"stray:{stray.address}:stop:{stray.epoch}")

    def _saved(self, what: str, claim: Any, job: Any, log: Any) -> None:
        if self._books.claims.get(job.id) != claim.token:
            now = self._books.claims.get(job.id)
            self._books.wrong.append(f"{job.id}: {what} under claim {claim.token}, while {now} has it")
        ended = self._books.ended.get(job.id)
        if ended is not None and ended != (job.state, job.reason):
            self._books.wrong.append(f"{job.id}: was over, {ended}, and is {job.state}, {job.reason}")
        elif job.state.is_final:
            self._books.ended[job.id] = (job.state, job.reason)
        for event in log:
            self._books.kinds.add(event.kind)
            if isinstance(event, CallIntended):
                self._books.written.add(event.call.key)
            elif isinstance(event, CallExpired):
                self._books.written.add(event.next_key)


class Bell:
    """Rings get lost, and come twice; messages come in any order."""

    def __init__(self, rng: random.Random, *, drops: float, doubles: float) -> None:
        self.rung: list[tuple[FollowUp, JobId]] = []
        self.drops, self.doubles = drops, doubles
        self._rng = rng

    def ring(self, follow_up: FollowUp, job_ids: Sequence[JobId]) -> None:
        for job_id in job_ids:
            if self._rng.random() >= self.drops:
                self.rung.append((follow_up, job_id))
            if self._rng.random() < self.doubles:
                self.rung.append((follow_up, job_id))

    def take(self) -> JobId:
        """Any message."""
        index = self._rng.randrange(len(self.rung))
        self.rung[index], self.rung[-1] = self.rung[-1], self.rung[index]
        return self.rung.pop()[1]


class Network(Port):
    """A provider: what is paid for must have been written down when it is sent."""

    def __init__(self, port: Any, crossing: Crossing, books: Books) -> None:
        super().__init__(port, crossing, "network")
        self._books = books

    def _watch(self, method: str, args: Any, kwargs: Any) -> None:
        key = kwargs.get("key")
        if key is not None and key not in self._books.written:
            self._books.wrong.append(f"{method} is sent under {key}, which nobody has written down")


class Networks:
    """The accounts, each behind a crossing."""

    def __init__(self, providers: Any, crossing: Crossing, books: Books) -> None:
        self._providers, self._crossing, self._books = providers, crossing, books

    def account(self, name: Any, **how: Any) -> Network:
        return Network(self._providers.account(name, **how), self._crossing, self._books)

    def names(self) -> tuple[Any, ...]:
        names: tuple[Any, ...] = self._providers.names()
        return names


def _subject(args: Any, kwargs: Any) -> str:
    """What a call is about: its key, its job, its account."""
    if "key" in kwargs:
        return str(kwargs["key"])
    if not args:
        return ""
    found = getattr(args[1], "id", None) if len(args) > 1 else None
    if found is None:
        found = args[2] if len(args) > 2 and isinstance(args[2], str) else args[0]
    return found if isinstance(found, str) else ""


def _short(answer: Any) -> str:
    if answer is None or isinstance(answer, bool | int | float | str):
        return str(answer)[:40]
    return type(answer).__name__
