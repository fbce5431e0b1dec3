"""Rings workers for jobs: one job a message while there are few, up to a hundred under load."""

from collections.abc import Sequence
from typing import Final

from dispatcher.domain.ids import JobId
from dispatcher.domain.words import FollowUp
from dispatcher.ports.signals import Waker

_MOST: Final = 100
_SPREAD: Final = 64
"""Up to this many jobs get a message each, so that all workers share them; beyond, messages grow."""


def ring(waker: Waker, follow_up: FollowUp, job_ids: Sequence[JobId]) -> None:
    """Send messages that together name all of `job_ids`."""
    size = min(max(len(job_ids) // _SPREAD, 1), _MOST)
    for start in range(0, len(job_ids), size):
        waker.ring(follow_up, job_ids[start : start + size])
