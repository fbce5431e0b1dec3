"""What has been tried for a job so far, from its log: calls, waits, what was asked and noted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dispatcher.domain import events as ev
from dispatcher.domain.eventwords import in_words, who
from dispatcher.domain.ids import IdempotencyKey
from dispatcher.domain.words import Operation, Reason

KEPT: Final = 20
"""Of each kind the newest are told."""

_NOTED: Final = frozenset(
    {
        "stop_ordered",
        "extend_ordered",
        "extend_dropped",
        "resolve_ordered",
        "resolve_dropped",
        "policies_changed",
        "policies_kept",
        "warned",
        "extends_ended",
        "budget_used_up",
        "moved",
        "released",
        "mended",
        "adopted",
    }
)


@dataclass(frozen=True, slots=True)
class CallTold:
    """One call. `tries` were sent without a usable answer, `held` not sent; `outcome` None: it is open."""

    operation: Operation
    ordinal: int
    at: float
    tries: int = 0
    held: int = 0
    error: str = ""
    outcome: str | None = None
    ended_at: float | None = None

    @property
    def went_well(self) -> bool:
        return self.outcome == "answered" and not self.tries and not self.held


@dataclass(frozen=True, slots=True)
class WaitTold:
    """One wait: what for, from its first try to its last, and what the last one said."""

    reason: Reason
    since: float
    last: float
    times: int
    detail: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that was asked of the job, or noted about it. `by`: who asked."""

    at: float
    kind: str
    by: str | None
    policy: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class History:
    """`answered` and `calls_made` count calls by operation; `troubled` are those that did not go well at once, or are
    open; `calls` are all, the newest `KEPT` of each."""

    calls_made: dict[str, int]
    answered: dict[str, int]
    troubled: tuple[CallTold, ...]
    waits: tuple[WaitTold, ...]
    noted: tuple[Noted, ...]


def history(log: Sequence[ev.Event]) -> History:
    """The log told shortly, whatever its length."""
    calls = _calls(log)
    return History(
        calls_made=_counted(calls),
        answered=_counted([call for call in calls if call.outcome == "answered"]),
        troubled=tuple(call for call in calls if not call.went_well)[-KEPT:],
        waits=tuple(_waits(log))[-KEPT:],
        noted=tuple(_noted(log))[-KEPT:],
    )


def _counted(calls: Sequence[CallTold]) -> dict[str, int]:
    return dict(Counter(call.operation.value for call in calls))


def _calls(log: Sequence[ev.Event]) -> list[CallTold]:
    told: list[CallTold] = []
    of_key: dict[IdempotencyKey, int] = {}
    under_way: int | None = None

    def ended(event: ev.Event, key: IdempotencyKey, outcome: str, error: str = "") -> None:
        if (index := of_key.get(key)) is not None:
            known = told[index]
            told[index] = replace(known, outcome=outcome, ended_at=event.at, error=error or known.error)

    for event in log:
        match event:
            case ev.CallIntended():
                if under_way is not None and told[under_way].outcome is None:
                    told[under_way] = replace(
                        told[under_way], outcome="overtaken by a stop", ended_at=event.at
                    )
                under_way = of_key[event.call.key] = len(told)
                told.append(CallTold(event.call.operation, event.call.ordinal, event.at))
            case ev.CallUndecided() if (index := of_key.get(event.key)) is not None:
                known = told[index]
                tries, held = known.tries + event.sent, known.held + (not event.sent)
                told[index] = replace(known, tries=tries, held=held, error=event.error)
            case ev.CallExpired() if (index := of_key.get(event.key)) is not None:
                of_key[event.next_key] = index
                told[index] = replace(told[index], tries=told[index].tries + 1, error=event.error)
            case ev.CallRefused():
                ended(event, event.key, "refused", event.error)
            case ev.CallShort():
                ended(event, event.key, "too little credit", event.error)
            case ev.CallUndone():
                ended(event, event.key, "surely without effect", event.error)
            case ev.CallNotFound():
                ended(event, event.key, "did not land")
            case ev.Posted() | ev.Extended() | ev.StopConfirmed():
                ended(event, event.key, "answered")
            case ev.PostFound():
                ended(event, event.key, "found on the network")
            case ev.AttemptEnded() | ev.Ended() if under_way is not None and told[under_way].outcome is None:
                told[under_way] = replace(told[under_way], outcome="unanswered to the end", ended_at=event.at)
            case _:
                pass
    return told


def _waits(log: Sequence[ev.Event]) -> list[WaitTold]:
    """A wait goes on while nothing but tries, and what wakes it, comes between."""
    told: list[WaitTold] = []
    going_on = False
    for event in log:
        match event:
            case ev.Waited() if going_on and told[-1].reason is event.reason:
                told[-1] = replace(told[-1], last=event.at, times=told[-1].times + 1, detail=event.detail)
            case ev.Waited():
                told.append(WaitTold(event.reason, event.at, event.at, 1, event.detail))
                going_on = True
            case ev.Woken() | ev.Observed() | ev.Mended():
                pass
            case _:
                going_on = False
    return told


def _noted(log: Sequence[ev.Event]) -> list[Noted]:
    return [
        Noted(event.at, event.kind, who(event), event.policy, in_words(event))
        for event in log
        if event.kind in _NOTED
    ]
