"""Ctrl-C and SIGTERM, as something that is looked at where it is safe to stop, never as an exception from nowhere."""

import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Somebody wants the demo to end."""


class Interruption:
    """A context in which the signals are only noted. From the second one on, `again` is called in the handler."""

    def __init__(self) -> None:
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._count = 0
        self._before: dict[signal.Signals, signal._HANDLER] = {}
        self.again: Callable[[], None] | None = None

    @property
    def wanted(self) -> bool:
        return self._count > 0

    def check(self) -> None:
        """Raises `Interrupted` if a signal came."""
        if self.wanted:
            raise Interrupted

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a signal, at most `timeout` real seconds; whether one came. In the manner of `threading.Event`."""
        if not self.wanted:
            select.select([self._woken], [], [], timeout)
        return self.wanted

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            # nohup; but SIGINT is ignored by whatever a script starts in its background, and wanted all the same.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._woken)
        os.close(self._wake)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
        with suppress(BlockingIOError):
            os.write(self._wake, b"!")
        if self._count > 1 and self.again is not None:
            self.again()
