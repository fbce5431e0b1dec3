"""Events of calls that change something on the network."""

from typing import ClassVar, Literal

from dispatcher.domain.events.base import EventBase
from dispatcher.domain.ids import IdempotencyKey
from dispatcher.domain.job import Call
from dispatcher.domain.money import Usd
from dispatcher.domain.words import Operation


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


class CallExpired(EventBase):
    """The network says that the call surely did not happen and its key is dead: asked again with the next epoch."""

    kind: Literal["call_expired"] = "call_expired"
    operation: Operation
    key: IdempotencyKey
    next_key: IdempotencyKey
    error: str
    retry_at: float


class CallRefused(EventBase):
    """The network's answer is final: the call is not repeated, and its hold was voided, unless it goes along to
    another attempt."""

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
