"""What all events share."""

from typing import ClassVar

from dispatcher.domain.job import Record


class EventBase(Record):
    """What all events share."""

    logged: ClassVar[bool] = True
    at: float
    rule: str | None = None
    """The planner's rule under which it happened; None for what came from outside."""
    policy: str | None = None
    """The policy's field under which that rule acted, by its name in a request: `stop.after`."""
