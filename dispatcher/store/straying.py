"""Strays as JSON text and back, and the order in which they are forgotten: the same for every store."""

import json
from dataclasses import asdict

from dispatcher.ports.mending import Stray

_LAST = 1e11
"""Seconds; more than any unix time: what still has to be stopped is forgotten after all that has not."""


def stray_text(stray: Stray) -> str:
    return json.dumps(asdict(stray), separators=(",", ":"))


def stray_of(text: str | bytes) -> Stray:
    return Stray(**json.loads(text))


def place(stray: Stray) -> float:
    """The lowest is forgotten first."""
    return stray.noted_at + (_LAST if stray.is_open else 0.0)


def in_order(strays: list[Stray]) -> list[Stray]:
    """The oldest first."""
    return sorted(strays, key=lambda stray: (stray.found_at, stray.address))
