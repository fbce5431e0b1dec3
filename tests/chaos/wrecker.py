"""What goes wrong, in an order from the seed: kills, pauses and a broker that forgets."""

import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable

import redis

from dispatcher.ops.clock import monotonic
from tests.chaos.field import BEATS, BROKER_KEYS, WORKERS, Child, Field

PAUSE = (11.0, 16.0)
"""Real seconds for which a worker is stopped: longer than the lease of ten."""

_WEIGHTS = (30, 20, 10, 15, 25)
"""How often each kind of attack comes, in the order in which `Wrecker` lists them."""


class Wrecker:
    """Owns the workers and beats: starts them, kills them, brings them back. `every`: an attack comes so many real
    seconds after the one before, at least and at most."""

    def __init__(self, field: Field, seed: int, every: tuple[float, float]) -> None:
        self._field, self._every = field, every
        self._rng = random.Random(f"wrecker {seed}")
        self._processes: dict[str, Child] = {name: field.launch(name) for name in (*WORKERS, *BEATS)}
        self._repairs: dict[str, tuple[float, Callable[[str], None]]] = {}
        self._attacks: list[Callable[[], None]] = [
            self._kill_worker,
            self._pause_worker,
            self._kill_beat,
            self._kill_redis,
            self._wipe_broker,
        ]
        self._deck = self._rng.sample(self._attacks, k=len(self._attacks))
        """One of each at first, so that even a short run meets them all."""
        self.done: Counter[str] = Counter()
        self.ended_by_themselves: list[str] = []

    def wait_ready(self) -> None:
        for name in WORKERS:
            self._processes[name].logged("ready.")

    def rampage(self, until: float, stop: threading.Event) -> None:
        """Wreck until the monotonic time `until`, then put everything right."""
        next_at = monotonic() + 0.5
        while monotonic() < until and not stop.is_set():
            self._repair(monotonic())
            self.supervise()
            if monotonic() >= next_at:
                self._attack()
                next_at = monotonic() + self._rng.uniform(*self._every)
            stop.wait(0.05)
        self._repair(float("inf"))

    def supervise(self) -> None:
        """Start again what ended by itself, as the supervisor of any real installation does."""
        for name, process in self._processes.items():
            if name not in self._repairs and process.has_ended():
                self.ended_by_themselves.append(name)
                sys.stderr.write(f"  {name} ended by itself and is started again\n")
                self._relaunch(name)

    def _attack(self) -> None:
        what = self._deck.pop() if self._deck else self._rng.choices(self._attacks, weights=_WEIGHTS)[0]
        what()

    def _healthy(self, names: tuple[str, ...]) -> str | None:
        found = [name for name in names if name not in self._repairs]
        return self._rng.choice(found) if found else None

    def _kill_worker(self) -> None:
        self._kill("worker", WORKERS)

    def _kill_beat(self) -> None:
        self._kill("beat", BEATS)

    def _kill(self, what: str, names: tuple[str, ...]) -> None:
        if (name := self._healthy(names)) is None:
            return
        self._processes[name].end(signal.SIGKILL)
        self._later(name, self._rng.uniform(0, 3), self._relaunch)
        self._say(what, name)

    def _relaunch(self, name: str) -> None:
        self._processes[name] = self._field.launch(name)

    def _pause_worker(self) -> None:
        if (name := self._healthy(WORKERS)) is None:
            return
        os.killpg(self._processes[name].pid, signal.SIGSTOP)
        self._later(name, self._rng.uniform(*PAUSE), self._go_on)
        self._say("pause", name)

    def _go_on(self, name: str) -> None:
        os.killpg(self._processes[name].pid, signal.SIGCONT)

    def _kill_redis(self) -> None:
        self._field.store.kill_and_restart()
        self._say("redis", "the store and broker")

    def _wipe_broker(self) -> None:
        try:
            gone = self._field.store.client.delete(*BROKER_KEYS)
        except redis.RedisError:
            return
        self._say("broker_wiped", f"{gone} keys")

    def _later(self, name: str, seconds: float, repair: Callable[[str], None]) -> None:
        self._repairs[name] = (monotonic() + seconds, repair)

    def _repair(self, now: float) -> None:
        for name, (at, repair) in list(self._repairs.items()):
            if at <= now:
                del self._repairs[name]
                repair(name)

    def _say(self, what: str, detail: str) -> None:
        self.done[what] += 1
        sys.stderr.write(f"  {what}: {detail}\n")
