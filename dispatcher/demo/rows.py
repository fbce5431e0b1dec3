"""One line of the screen for each request, from what the dispatcher shows of its job. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.demo.scenario import Scene
from dispatcher.domain.duration import format_duration
from dispatcher.domain.faults import Fault
from dispatcher.domain.job import Job
from dispatcher.domain.planner import agenda
from dispatcher.domain.words import Reason, State

_WORDS: Final[Mapping[str, str]] = {
    "policy_stop": "stop",
    "settle_post": "post again",
    "vanished": "give up",
    "over": "fetch result",
    "settle_extend": "extend",
    "ordered_extend": "extend",
    "policy_extend": "extend",
    "credit_patience": "give up",
    "credit": "check credit",
}
"""What the planner's rules do, in a word or two; those that are not here say it by their names."""

_DECISIVE: Final = ("extend", "stop")

_TIMES: Final[Mapping[str, str]] = {"1": "once", "2": "twice"}

_ABOUT: Final = 600
"""Seconds from which on minutes are exact enough."""

_PLAIN: Final = frozenset({Reason.NEW, Reason.RUNNING, Reason.FINISHED})
"""Reasons that say no more than the state."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of one request, as texts. `next`: follow-ups and in how much of the network's time."""

    name: str
    shows: str
    state: str
    reason: str = ""
    next: str = ""
    extends: str = ""
    so_far: str = ""
    at_most: str = ""
    over: bool = False

    @property
    def where(self) -> str:
        """State and, where it says more, the reason; as `dispatcher show` has them."""
        return f"{self.state} ({self.reason})" if self.reason else self.state


def waiting_row(scene: Scene) -> Row:
    """A request that was not enqueued yet."""
    return Row(scene.name, scene.shows, "")


def refused_row(scene: Scene, faults: Sequence[Fault]) -> Row:
    """A request that was refused at once: no job was made of it."""
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return Row(scene.name, scene.shows, State.REJECTED.value, count, over=True)


def job_row(scene: Scene, view: Mapping[str, Any], upcoming: str) -> Row:
    """A job, from `JobHandle.view()` and the text of its next follow-ups."""
    state = State(view["state"])
    return Row(
        name=scene.name,
        shows=scene.shows,
        state=state.value,
        reason="" if view["reason"] in _PLAIN else view["reason"],
        next=upcoming,
        extends=str(view["extends"]) if view["extends"] else "",
        so_far=view["cost"]["so_far_usd"],
        at_most=view["cost"]["committed_usd"],
        over=state.is_final,
    )


def follow_ups(job: Job, now: float) -> str:
    """`poll 40s, extend 6m10s`: what falls due next and in how much time, and the next extension or stop."""
    if job.state.is_final:
        return ""
    dues = sorted(
        (max(due.at - now, 0), _WORDS.get(due.rule, due.rule.replace("_", " "))) for due in agenda(job)
    )
    shown = dues[:1]
    shown += [due for due in dues[1:] if due[1] in _DECISIVE and due[1] != shown[0][1]][:1]
    return ", ".join(f"{what} {_in(seconds)}" for seconds, what in shown)


def _in(seconds: float) -> str:
    if seconds < 1:
        return "now"
    return format_duration(round(seconds) if seconds < _ABOUT else round(seconds / 60) * 60)


class Changes:
    """What is new from one picture to the next, as a line for each request that is elsewhere than before."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def since(self, rows: Sequence[Row]) -> list[str]:
        """The lines for `rows`, compared with those of the last call."""
        lines = []
        for row in rows:
            told = row.where + (f", extended {_TIMES.get(row.extends, row.extends)}" if row.extends else "")
            if row.state and self._known.get(row.name) != told:
                self._known[row.name] = told
                cost = f", ${row.so_far}" if row.over and row.so_far else ""
                lines.append(f"{row.name:<14} {told}{cost}")
        return lines


def last_words(result: Mapping[str, Any] | None) -> str:
    """The last line that the job itself wrote, from the host's result document; empty if there is none."""
    written = [
        str(entry.get("log") or "").strip()
        for operation in (result or {}).get("opStates", [])
        for entry in operation.get("logs", [])
        if entry.get("type") == "stdout"
    ]
    return next((line for line in reversed(written) if line), "")
