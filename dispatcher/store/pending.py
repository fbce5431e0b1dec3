"""Commands that wait for a worker: which are kept, and what they make the job due for. The Lua scripts say the same."""

from collections.abc import Sequence

from dispatcher.domain.words import FollowUp
from dispatcher.ports.store import Command

AT_MOST = 100
"""Extensions that come when so many commands wait are dropped: no operator means them. Changes of policies are not
taken then, and whoever asked is told. Nothing else ever is lost."""

_ALL_KEPT = ("extend", "policies")


def is_kept(waiting: Sequence[Command], command: Command) -> bool:
    """Whether `command` joins those that wait already. One stop is as good as many, and so is one retry;
    of several resolutions the first stands. Extensions and changes of policies add up."""
    if command.kind in _ALL_KEPT:
        return len(waiting) < AT_MOST
    return all(other.kind != command.kind for other in waiting)


def due_for(waiting: Sequence[Command]) -> FollowUp | None:
    """What the job is due for; None without commands. A stop goes first: it precludes extensions."""
    kinds = {command.kind for command in waiting}
    if "stop" in kinds:
        return FollowUp.STOP
    if "extend" in kinds:
        return FollowUp.EXTEND
    return FollowUp.DISPATCH if kinds else None
