"""Ties between processes: who dies with whom, and who is a descendant of whom. Linux; elsewhere it does nothing.

Process managers put what they start into sessions of its own, and may be killed before they can end it. So the
guardian becomes the parent of all orphans below it, and asks the kernel to end its children with it.
"""

import ctypes
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36

_ROUNDS: Final = 1000


def adopt_orphans() -> None:
    """From here on, descendants whose parents die become children of this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """For `preexec_fn` of a process with one thread: the child gets this signal when its parent is gone."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it was gone before the line above
            os._exit(1)

    return before_exec


def descendants(roots: Iterable[int]) -> set[int]:
    """The process numbers of all children of `roots`, their children, and so on, without the roots themselves."""
    children = _children()
    found: set[int] = set()
    left = list(roots)
    while left:
        for child in children.get(left.pop(), ()):
            if child not in found:
                found.add(child)
                left.append(child)
    return found


def kill(numbers: Iterable[int]) -> None:
    """SIGKILL to each of them that is still there."""
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def kill_all_but(kept: set[int]) -> None:
    """SIGKILL to all descendants of this process, without those in `kept` and their descendants.

    Repeated until none is left: what dies may leave orphans, which are found in the next round.
    """
    for _ in range(_ROUNDS):
        found = descendants([os.getpid()]) - kept - descendants(kept)
        if not found:
            return
        kill(found)


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # `number (name) state parent ...`, where the name may hold blanks and parentheses itself.
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(fields[1])].append(int(folder.name))
    return found
