"""What can happen to a job, as data: the only way its record changes, and the log that people read.

Every event has `at` (unix seconds) and says what happened, never what should happen next. The log of a job is
enough to derive its record again with `lifecycle.replay`, but for `Looked` and `CallSought`: looks that brought
nothing new only move counters, and are not logged.
"""

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter

from dispatcher.domain.cid import Cid
from dispatcher.domain.ids import IdempotencyKey, JobId, RemoteAddress
from dispatcher.domain.job import Call, Ending, Operation, Phase, Quote, Reason, Record, State
from dispatcher.domain.money import Rate, Usd
from dispatcher.domain.request import JobSpec


class EventBase(Record):
    """What all events share."""

    logged: ClassVar[bool] = True
    at: float


class Enqueued(EventBase):
    """The request was accepted and stored."""

    kind: Literal["enqueued"] = "enqueued"
    id: JobId
    spec: JobSpec
    fingerprint: str
    cid: Cid
    stamped: bool = False


class Waited(EventBase):
    """Something that is needed is not there: the job waits and tries again. `short_usd`: the missing cover;
    `scope`: whose budget does not allow it."""

    kind: Literal["waited"] = "waited"
    reason: Reason
    detail: str = ""
    short_usd: Usd | None = None
    scope: str | None = None
    sent: bool = True
    """False: the network was not asked, the call was held back here. That is not a try."""
    retry_at: float | None = None
    """Before when it is not worth a try, as the network says, or what holds it back."""


class Woken(EventBase):
    """What the job waits for may be there now: it is tried again at once."""

    kind: Literal["woken"] = "woken"
    by: str


class CreditHeld(EventBase):
    """The price is known and the credits for the first posting are set aside."""

    kind: Literal["credit_held"] = "credit_held"
    quote: Quote


class Pinned(EventBase):
    """The definition is on IPFS; `known`: it had been pinned before and was not sent again."""

    kind: Literal["pinned"] = "pinned"
    known: bool


class CallIntended(EventBase):
    """A call is written down, with its key, before it is sent. It takes the place of an open extension."""

    kind: Literal["call_intended"] = "call_intended"
    call: Call


class CallUndecided(EventBase):
    """The call brought no usable answer: it may have landed, and is asked again with the same key.

    `doubtful`: on an account without idempotency keys it is looked for first.
    """

    kind: Literal["call_undecided"] = "call_undecided"
    operation: Operation
    key: IdempotencyKey
    error: str
    retry_at: float
    sent: bool = True
    """False: it was held back here. That is not a try."""
    in_doubt: bool = True
    """For a call that was held back: whether it may have been sent before."""
    doubtful: bool = False


class CallUndone(EventBase):
    """On an account without idempotency keys: the call surely had no effect, and another takes its place later."""

    kind: Literal["call_undone"] = "call_undone"
    operation: Operation
    key: IdempotencyKey
    error: str
    retry_at: float


class CallSought(EventBase):
    """The network was looked through, and the post was not there; or it could not be (`error`; `hopeless`: not
    until something changes that a person has to change)."""

    logged: ClassVar[bool] = False
    kind: Literal["call_sought"] = "call_sought"
    key: IdempotencyKey
    error: str | None = None
    hopeless: bool = False
    held_until: float | None = None
    """The network was not asked after all: the look was held back here until then."""
    as_of: float | None = None
    """When what was seen was asked for, unix seconds; a list that was read a moment ago may do."""


class CallUnresolved(EventBase):
    """Whether the post landed cannot be found out here: nothing is sent until a person says; `detail` says how."""

    kind: Literal["call_unresolved"] = "call_unresolved"
    key: IdempotencyKey
    detail: str


class CallNotFound(EventBase):
    """The call did not land: looks over long enough do not show it (`by` is `search`), or a person says so."""

    kind: Literal["call_not_found"] = "call_not_found"
    operation: Operation
    key: IdempotencyKey
    by: str


class PostFound(EventBase):
    """The post had landed: the job is on the network, found there or named by a person (`by`).

    `amount`: US dollars that the network asks for its `seconds`.
    """

    kind: Literal["post_found"] = "post_found"
    key: IdempotencyKey
    address: RemoteAddress
    seconds: int
    amount: Usd
    by: str


class ResolveOrdered(EventBase):
    """A person says that the job is at `address`; the network's record of it is read before that is believed."""

    kind: Literal["resolve_ordered"] = "resolve_ordered"
    address: RemoteAddress
    by: str


class ResolveDropped(EventBase):
    """The job is not at the address that a person named: `detail` says why."""

    kind: Literal["resolve_dropped"] = "resolve_dropped"
    detail: str


class CallExpired(EventBase):
    """The network says that the call surely did not happen and its key is dead: asked again with the next epoch."""

    kind: Literal["call_expired"] = "call_expired"
    operation: Operation
    key: IdempotencyKey
    next_key: IdempotencyKey
    error: str
    retry_at: float


class CallRefused(EventBase):
    """The network's answer is final: the call is not repeated, and its hold was voided."""

    kind: Literal["call_refused"] = "call_refused"
    operation: Operation
    key: IdempotencyKey
    error: str


class CallShort(EventBase):
    """The network says that the account's credit does not pay for the call; its hold was voided."""

    kind: Literal["call_short"] = "call_short"
    operation: Operation
    key: IdempotencyKey
    error: str
    short_usd: Usd


class Posted(EventBase):
    """The job is on the network. `amount` US dollars are reserved for its `seconds`."""

    kind: Literal["posted"] = "posted"
    key: IdempotencyKey
    address: RemoteAddress
    run: str | None
    seconds: int
    amount: Usd
    reservation: str | None = None


class Extended(EventBase):
    """The job has `seconds` more for `amount` US dollars, or, if not `landed`, was over already: nothing was paid."""

    kind: Literal["extended"] = "extended"
    key: IdempotencyKey
    seconds: int
    amount: Usd = Decimal(0)
    landed: bool = True
    reservation: str | None = None


class StopConfirmed(EventBase):
    """The network took the stop: `delisted` off the queue, `ended` while running, or `already_terminal`."""

    kind: Literal["stop_confirmed"] = "stop_confirmed"
    key: IdempotencyKey
    outcome: Literal["delisted", "ended", "already_terminal"]


class Observed(EventBase):
    """The network shows the job differently from before. Times are unix seconds."""

    kind: Literal["observed"] = "observed"
    phase: Phase
    timeout: int
    started_at: float | None = None
    ended_at: float | None = None
    node: str | None = None
    result_cid: Cid | None = None
    status: str | None = None
    rate_per_hour: Rate | None = None

    def shown(self) -> dict[str, Any]:
        """What the network shows, by the names of `Remote`'s fields."""
        return {name: getattr(self, name) for name in Observed.model_fields if name not in {"kind", "at"}}


class Looked(EventBase):
    """The network was asked and nothing changed, or it did not answer (`error`), or does not know it (`missing`)."""

    logged: ClassVar[bool] = False
    kind: Literal["looked"] = "looked"
    error: str | None = None
    missing: bool = False
    held_until: float | None = None
    """The network was not asked after all: the look was held back here until then."""


class StopOrdered(EventBase):
    """A policy or an operator wants the job stopped: no further extension."""

    kind: Literal["stop_ordered"] = "stop_ordered"
    reason: Reason
    by: str


class ExtendOrdered(EventBase):
    """An operator wants `seconds` more."""

    kind: Literal["extend_ordered"] = "extend_ordered"
    seconds: int
    by: str


class ExtendDropped(EventBase):
    """An operator's extension cannot be had: `detail` says why."""

    kind: Literal["extend_dropped"] = "extend_dropped"
    seconds: int
    detail: str


class Adopted(EventBase):
    """The job had turned up twice on the network: it goes on as the older of the two, for whose `seconds` the network
    reserved `amount` US dollars beside what it reserved for the other."""

    kind: Literal["adopted"] = "adopted"
    address: RemoteAddress
    instead_of: RemoteAddress
    seconds: int
    amount: Usd


class Mended(EventBase):
    """Something about the job's place in the store, or on the network, was found wrong and was put right."""

    kind: Literal["mended"] = "mended"
    what: str


class Ended(EventBase):
    """The job is over, its cost known and settled, its holds closed."""

    kind: Literal["ended"] = "ended"
    state: State
    reason: Reason
    ending: Ending
    settled: Usd


Event = (
    Enqueued
    | Waited
    | Woken
    | CreditHeld
    | Pinned
    | CallIntended
    | CallUndecided
    | CallUndone
    | CallSought
    | CallUnresolved
    | CallNotFound
    | CallExpired
    | CallRefused
    | CallShort
    | Posted
    | PostFound
    | ResolveOrdered
    | ResolveDropped
    | Extended
    | StopConfirmed
    | Observed
    | Looked
    | StopOrdered
    | ExtendOrdered
    | ExtendDropped
    | Adopted
    | Mended
    | Ended
)

EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
"""Reads and writes one event as JSON."""
