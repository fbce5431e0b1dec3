"""Time."""

from typing import Protocol


class Clock(Protocol):
    """Unix seconds, perhaps of a simulated time that runs `speed` times as fast as the wall's."""

    @property
    def speed(self) -> float: ...

    def now(self) -> float: ...
