"""One job's turn, from claim to release."""

from collections.abc import Sequence
from typing import Any, Final

import structlog

from dispatcher.domain import events as ev
from dispatcher.domain.actions import DropExtension, Nothing, OrderStop, Wait
from dispatcher.domain.costs import extension_refusal
from dispatcher.domain.errors import Bug, LeaseLost, StoreError
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import FollowUp, Job, Reason
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.planner import plan
from dispatcher.engine.parts import Parts
from dispatcher.engine.perform import perform
from dispatcher.ports.store import Claim, Command, Next

_log = structlog.get_logger(__name__)

_STEPS_AT_MOST: Final = 50
"""A turn that takes more steps than this goes round in a circle."""

_AFTER_CRASH: Final = 60.0
"""Seconds after which a job whose turn raised falls due again."""


def advance(parts: Parts, job_id: JobId) -> Job | None:
    """Do for the job whatever is due, until it has to wait or is over. The answer is its record then.

    None if somebody else has the job, if there is no such job, or if the lease was lost on the way: nothing is
    wrong then, the agenda comes back to it. Raises `StoreUnavailable`, and whatever a bug raises.
    """
    claim = parts.store.claim(job_id, now=parts.clock.now(), lease=parts.pace(parts.timing.lease))
    if claim is None:
        return None
    turn = _Turn(parts, claim)
    try:
        return turn.run()
    except LeaseLost:
        _log.warning("lease_lost", job=job_id)
        return None
    except StoreError:
        raise
    except Exception:
        turn.give_back()
        raise


class _Turn:
    """The state of one turn: the record as it is now, and the events that are not saved yet."""

    def __init__(self, parts: Parts, claim: Claim) -> None:
        self._parts = parts
        self._claim = claim
        self._job = claim.job
        self._unsaved: list[tuple[Job, ev.Event]] = []
        self._taken = 0
        self._result: dict[str, Any] | None = None

    def run(self) -> Job:
        for _ in range(_STEPS_AT_MOST):
            self._take_commands()
            now = self._parts.clock.now()
            decision = plan(self._job, now)
            match decision.action:
                case Nothing():
                    return self._release(None)
                case Wait(until):
                    return self._release(Next(until, decision.follow_up))
                case OrderStop() | DropExtension():
                    pass  # only the record changes: nothing to write down first
                case _:
                    self._save()
            performed = perform(self._parts, self._job, decision.action, now)
            self._result = performed.result or self._result
            self._happened(performed.events)
        raise Bug(f"{self._job.id} went round {_STEPS_AT_MOST} steps without having to wait")

    def give_back(self) -> None:
        """After an unexpected error: what was saved stays, the rest is dropped, the job falls due again later."""
        due = Next(self._parts.clock.now() + self._parts.pace(_AFTER_CRASH), FollowUp.DISPATCH)
        try:
            self._parts.store.release(
                self._claim,
                self._claim.job,
                [],
                now=self._parts.clock.now(),
                due=due,
                retention=self._parts.pace(self._parts.timing.retention),
            )
        except StoreError:
            _log.warning("give_back_failed", job=self._job.id)

    def _take_commands(self) -> None:
        for command in self._claim.commands[self._taken :]:
            self._taken += 1
            self._happened(_events_of(self._job, command, self._parts.clock.now()))

    def _happened(self, events: Sequence[ev.Event]) -> None:
        for event in events:
            self._job = apply(self._job, event)
            self._unsaved.append((self._job, event))

    def _save(self) -> None:
        if not self._unsaved:
            return
        self._claim = self._parts.store.save(
            self._claim,
            self._job,
            [event for _, event in self._unsaved],
            now=self._parts.clock.now(),
            lease=self._parts.pace(self._parts.timing.lease),
            taken=self._taken,
            result=self._result,
        )
        self._taken, self._result = 0, None
        self._tell()

    def _release(self, due: Next | None) -> Job:
        self._parts.store.release(
            self._claim,
            self._job,
            [event for _, event in self._unsaved],
            now=self._parts.clock.now(),
            due=due,
            retention=self._parts.pace(self._parts.timing.retention),
            taken=self._taken,
            result=self._result,
        )
        self._tell()
        return self._job

    def _tell(self) -> None:
        for job, event in self._unsaved:
            try:
                self._parts.observer.observed(job, event)
            except Exception:  # noqa: BLE001 - an observer may raise anything; what was saved stays saved
                _log.exception("observer_failed", job=job.id, event_kind=event.kind)
        self._unsaved = []


def _events_of(job: Job, command: Command, now: float) -> list[ev.Event]:
    """What an operator's command means for the job as it is when a worker takes it in."""
    if job.state.is_final:
        return []
    match command.kind:
        case "stop":
            if job.stop is not None:
                return []
            return [ev.StopOrdered(at=now, reason=Reason.OPERATOR, by=command.by)]
        case "extend":
            if (refusal := extension_refusal(job, command.seconds)) is not None:
                return [ev.ExtendDropped(at=now, seconds=command.seconds, detail=refusal)]
            return [ev.ExtendOrdered(at=now, seconds=command.seconds, by=command.by)]
        case "retry":
            return [] if job.wait is None else [ev.Woken(at=now, by=command.by)]
