"""What can happen to a job, as data: the only way its record changes, and the log that people read.

Every event has `at` (unix seconds) and says what happened, never what should happen next. The log of a job is
enough to derive its record again with `lifecycle.replay`, but for `Looked` and `CallSought`: looks that brought
nothing new only move counters, and are not logged.
"""

from typing import Annotated

from pydantic import Field, TypeAdapter

from dispatcher.domain.events.base import EventBase
from dispatcher.domain.events.calls import (
    CallExpired,
    CallIntended,
    CallNotFound,
    CallRefused,
    CallShort,
    CallSought,
    CallUndecided,
    CallUndone,
    CallUnresolved,
)
from dispatcher.domain.events.life import (
    AttemptEnded,
    CreditHeld,
    Ended,
    Enqueued,
    Mended,
    Moved,
    Pinned,
    Released,
    Waited,
    Woken,
)
from dispatcher.domain.events.network import (
    Adopted,
    Extended,
    Looked,
    Observed,
    Posted,
    PostFound,
    StopConfirmed,
)
from dispatcher.domain.events.orders import (
    BudgetUsedUp,
    ExtendDropped,
    ExtendOrdered,
    ExtendsEnded,
    PoliciesChanged,
    PoliciesKept,
    ResolveDropped,
    ResolveOrdered,
    StopOrdered,
    Warned,
)

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
    | PoliciesChanged
    | PoliciesKept
    | Warned
    | ExtendsEnded
    | BudgetUsedUp
    | Released
    | Moved
    | AttemptEnded
    | Ended
)

EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
"""Reads and writes one event as JSON."""

__all__ = [
    "EVENTS",
    "Adopted",
    "AttemptEnded",
    "BudgetUsedUp",
    "CallExpired",
    "CallIntended",
    "CallNotFound",
    "CallRefused",
    "CallShort",
    "CallSought",
    "CallUndecided",
    "CallUndone",
    "CallUnresolved",
    "CreditHeld",
    "Ended",
    "Enqueued",
    "Event",
    "EventBase",
    "ExtendDropped",
    "ExtendOrdered",
    "Extended",
    "ExtendsEnded",
    "Looked",
    "Mended",
    "Moved",
    "Observed",
    "Pinned",
    "PoliciesChanged",
    "PoliciesKept",
    "PostFound",
    "Posted",
    "Released",
    "ResolveDropped",
    "ResolveOrdered",
    "StopConfirmed",
    "StopOrdered",
    "Waited",
    "Warned",
    "Woken",
]
