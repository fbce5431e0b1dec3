"""Everything that can happen to a job, in one union."""

from typing import Annotated

from pydantic import Field, TypeAdapter

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
