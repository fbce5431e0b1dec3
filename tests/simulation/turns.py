"""Turns that hand over a baton: many threads, one running at a time, the next one chosen by the seeded random.

A turn is any call into the engine. At every port call it may pause, so that others go on in between, or die
there. Threads only serve as stacks here: the kernel decides nothing, so the same seed gives the same run.
"""

import threading
from collections.abc import Callable
from typing import Any

Work = Callable[[], Any]
Told = Callable[[str, str, str], None]
"""Notes one line of the trace: who, what, and about what."""


class Killed(BaseException):
    """The worker of this turn is gone: nothing catches this."""


class Turn:
    """One call under way. `sleeps_until`: it waits for an answer until then (unix seconds)."""

    def __init__(self, name: str, worker: str, work: Work, ended: Callable[["Turn"], None]) -> None:
        self.name, self.worker = name, worker
        self.sleeps_until = 0.0
        self.doomed = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._work, self._ended = work, ended
        self.stack: _Stack | None = None

    def run(self) -> None:
        """In its thread: to the end, or to its death."""
        try:
            if not self.doomed:
                self.result = self._work()
        except BaseException as e:  # noqa: BLE001 - a turn's end is its own affair; the baton has to come back
            self.error = e

    def end(self) -> None:
        """In the conductor's thread: tell whoever started it."""
        self._ended(self)


class _Stack:
    """A thread that runs one turn after the other."""

    def __init__(self, back: threading.Lock) -> None:
        self.go, self.back = threading.Lock(), back
        self.go.acquire()
        self.turn: Turn | None = None
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while True:
            self.go.acquire()
            if self.turn is None:
                self.back.release()
                return
            self.turn.run()
            self.turn = None
            self.back.release()

    def close(self) -> None:
        self.turn = None
        self.go.release()
        self.back.acquire()
        self._thread.join()


class Baton:
    """Starts, resumes and pauses turns."""

    def __init__(self) -> None:
        self.current: Turn | None = None
        self.paused: list[Turn] = []
        self._back = threading.Lock()
        self._back.acquire()
        self._idle: list[_Stack] = []

    def start(self, turn: Turn) -> None:
        """A new turn takes the baton until it pauses or ends."""
        stack = turn.stack = self._idle.pop() if self._idle else _Stack(self._back)
        stack.turn = turn
        self._hand_to(turn, stack)

    def resume(self, turn: Turn) -> None:
        """A turn that paused takes the baton again."""
        assert turn.stack is not None
        self.paused.remove(turn)
        self._hand_to(turn, turn.stack)

    def pause(self) -> None:
        """Called by the turn that has the baton: gives it back, and waits until it is handed over again."""
        turn = self.current
        assert turn is not None
        assert turn.stack is not None
        self.paused.append(turn)
        turn.stack.back.release()
        turn.stack.go.acquire()
        if turn.doomed:
            raise Killed(turn.name)

    def close(self) -> None:
        """Kill what is still under way and end the threads."""
        while self.paused:
            self.paused[0].doomed = True
            self.resume(self.paused[0])
        for stack in self._idle:
            stack.close()
        self._idle = []

    def _hand_to(self, turn: Turn, stack: _Stack) -> None:
        self.current = turn
        stack.go.release()
        self._back.acquire()
        self.current = None
        if stack.turn is None:
            turn.stack = None
            self._idle.append(stack)
            turn.end()
