"""One job's turn, from claim to release."""

from collections.abc import Sequence
from typing import Any, Final

import structlog

from dispatcher.domain import events as ev
from dispatcher.domain.actions import (
    Action,
    Collect,
    DropExtension,
    EndExtends,
    Nothing,
    OrderStop,
    Send,
    Wait,
    Warn,
)
from dispatcher.domain.attempts import ends_the_job
from dispatcher.domain.costs import extension_refusal, highest_rate
from dispatcher.domain.errors import Bug, LeaseLost, StoreUnavailable, UnreadableRecord
from dispatcher.domain.ids import IdempotencyKey, JobId, LeaseToken, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.money import price_at_most
from dispatcher.domain.planner import plan
from dispatcher.domain.unkeyed import resolution_refusal
from dispatcher.domain.words import Operation, Reason
from dispatcher.engine import changing, crashes
from dispatcher.engine.attempts import close_books, is_between, settle_last
from dispatcher.engine.closing import close
from dispatcher.engine.parts import Parts
from dispatcher.engine.perform import perform
from dispatcher.ports.store import Claim, Command, Next

_log = structlog.get_logger(__name__)

_STEPS_AT_MOST: Final = 500
"""A turn that takes more steps goes round in a circle; an operator's hundred extensions take three hundred."""

_LEASES_TO_FETCH_AGAIN: Final = 4
"""For as many leases a job is taken while its result is fetched once more: a large one may have outlasted the first."""


def advance(parts: Parts, job_id: JobId) -> Job | None:
    """Do for the job whatever is due, until it has to wait or is over. The answer is its record then.

    None if somebody else has the job, if there is no such job, or if the lease was lost on the way: nothing is
    wrong then, the agenda comes back to it. Also None for a dead letter. Raises `StoreUnavailable`; and
    `UnreadableRecord` and whatever a bug raises: what was saved stays, the rest is dropped, and the crash is counted
    (`engine.crashes`), so that the job is tried again after a while, and is a dead letter in the end.
    """
    try:
        claim = parts.store.claim(job_id, now=parts.clock.now(), lease=parts.pace(parts.timing.lease))
    except UnreadableRecord as e:
        if e.token is not None:
            crashes.raised(parts, job_id, LeaseToken(e.token), e.crashes, e)
        raise
    if claim is None or crashes.died(parts, claim):
        return None
    try:
        return _Turn(parts, claim).run()
    except LeaseLost:
        _log.warning("lease_lost", job=job_id)
        return None
    except StoreUnavailable:
        raise
    except Exception as e:
        crashes.raised(parts, job_id, claim.token, claim.crashes, e)
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
        self._document: bytes | None = None
        self._found = _perhaps_sent(claim)

    def run(self) -> Job:
        if self._job.state.is_final:
            return self._close_again()
        if is_between(self._job):
            settle_last(self._parts, self._job)  # whoever ended the attempt may have died before that
        for _ in range(_STEPS_AT_MOST):
            self._take_commands()
            decision = plan(self._job, self._parts.clock.now())
            match decision.action:
                case Nothing():
                    return self._close()
                case Wait(until):
                    return self._release(Next(until, decision.follow_up))
                case OrderStop() | DropExtension() | Warn() | EndExtends():
                    pass  # only the record changes: nothing to write down first
                case _:
                    self._save(decision.action)
            performed = perform(self._parts, self._job, decision.action, found=self._found)
            self._result = performed.result or self._result
            self._document = performed.document or self._document
            self._happened(performed.events, decision.rule, decision.policy)
            if any(isinstance(event, ev.AttemptEnded) for event in performed.events):
                self._save(Nothing())  # as at the end of the job: its books are closed only then
                settle_last(self._parts, self._job)
        raise Bug(f"{self._job.id} went round {_STEPS_AT_MOST} steps without having to wait")

    def _take_commands(self) -> None:
        for command in self._claim.commands[self._taken :]:
            self._taken += 1
            self._happened(_events_of(self._job, command, self._parts.clock.now()))

    def _happened(
        self, events: Sequence[ev.Event], rule: str | None = None, policy: str | None = None
    ) -> None:
        cause = {} if rule is None else {"rule": rule, "policy": policy}
        for happened in events:
            event = happened.model_copy(update=cause)
            self._job = apply(self._job, event)
            self._unsaved.append((self._job, event))

    def _save(self, before: Action) -> None:
        """Write down what happened so far, and renew the lease for what comes next."""
        lease = self._parts.pace(self._parts.timing.lease)
        if isinstance(before, Collect) and not before.without_result and not self._unsaved:
            # A turn that begins with this had a forerunner that was not heard of again, or failed. That is written
            # down before it is tried, or patience would never end with a result that always takes too long.
            self._happened([_fetched_again(self._job, self._parts.clock.now())])
            lease *= _LEASES_TO_FETCH_AGAIN
        if not self._unsaved:
            return
        self._claim = self._parts.store.save(
            self._claim,
            self._job,
            [event for _, event in self._unsaved],
            now=self._parts.clock.now(),
            lease=lease,
            taken=self._taken,
            result=self._result,
            document=self._document,
            durable=_is_paid(self._job, before),
        )
        self._taken, self._result, self._document = 0, None, None
        self._tell()

    def _close(self) -> Job:
        """The job ended. That is saved first, since only the lease says that no other worker has it; its holds are
        closed then, others are told, and last it is taken off the agenda, so that whoever dies in between is followed
        by another. A callback that cannot be sent keeps it there."""
        self._save(Nothing())
        self._taken = len(self._claim.commands)  # a job that is over takes none in
        close_books(self._parts, self._job)
        return self._release(close(self._parts, self._job))

    def _close_again(self) -> Job:
        """The job was over when it was claimed: a late message, or whoever ended it died before it was closed."""
        on_agenda = self._parts.store.next_due(self._job.id) is not None
        return self._close() if on_agenda else self._release(None)

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
            document=self._document,
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


def _perhaps_sent(claim: Claim) -> IdempotencyKey | None:
    """The key of the call that was open when the turn began: whoever wrote it down may have sent it, unless the last
    turn ended in good order with the word that it was held back."""
    call = claim.job.call
    if call is None or (call.unsent_until is not None and claim.crashes == 0 and claim.lapses == 0):
        return None
    return call.key


def _is_paid(job: Job, action: Action) -> bool:
    """Whether the action spends: what it does is written down so that it outlives even a loss of power."""
    call = job.call if isinstance(action, Send) else None
    return call is not None and call.operation is not Operation.STOP


def _fetched_again(job: Job, now: float) -> ev.Event:
    detail = "the result was not fetched in time"
    if job.wait is not None and job.wait.reason is Reason.AWAITING_RESULT:
        detail = job.wait.detail
    return ev.Waited(at=now, reason=Reason.AWAITING_RESULT, detail=detail)


def _events_of(job: Job, command: Command, now: float) -> list[ev.Event]:
    """What an operator's command means for the job as it is when a worker takes it in."""
    if job.state.is_final:
        return []
    match command.kind:
        case "stop":
            if job.stop is not None and ends_the_job(job.stop):
                return []  # else it is of this attempt alone, and other policies may allow another
            return [ev.StopOrdered(at=now, reason=Reason.OPERATOR, by=command.by)]
        case "extend":
            if (refusal := extension_refusal(job, command.seconds)) is not None:
                return [ev.ExtendDropped(at=now, seconds=command.seconds, detail=refusal)]
            return [ev.ExtendOrdered(at=now, seconds=command.seconds, by=command.by)]
        case "resolve":
            if job.call is None or resolution_refusal(job) is not None:
                return []  # it was found out meanwhile
            if command.address is not None:
                return [ev.ResolveOrdered(at=now, address=command.address, by=command.by)]
            return [ev.CallNotFound(at=now, operation=Operation.POST, key=job.call.key, by=command.by)]
        case "retry":
            # Once is enough: what was woken and has not been tried again since waits for something else now.
            asleep = job.wait is not None and job.wait.last > 0
            return [ev.Woken(at=now, by=command.by)] if asleep else []
        case "upstream":
            asleep = job.wait is not None and job.wait.reason is Reason.AWAITING_JOBS and job.wait.last > 0
            return [ev.Woken(at=now, by=command.by)] if asleep else []
        case "unreadable":
            _log.error("command_unreadable", job=job.id)
            return []
        case "policies":
            return changing.taken_in(job, command, now)
        case "mended":
            return [ev.Mended(at=now, what=command.detail)]
        case "adopt":
            return _adopted(job, RemoteAddress(command.detail), now)


def _adopted(job: Job, address: RemoteAddress, now: float) -> list[ev.Event]:
    """The job goes on as another one on the network, unless something is under way for the one that it has."""
    remote = job.remote
    if remote is None or remote.is_over or job.call is not None or job.stop is not None or job.quote is None:
        return []
    if address in {remote.address, *(attempt.address for attempt in job.earlier)}:
        return []
    seconds, hourly = job.quote.seconds, highest_rate(job) or job.quote.rate_per_hour
    amount = price_at_most(hourly, seconds)
    return [ev.Adopted(at=now, address=address, instead_of=remote.address, seconds=seconds, amount=amount)]
