"""The wait that a call which failed, or was held back, leads to."""

from dispatcher.domain import events as ev
from dispatcher.domain.errors import NotSent, ProviderError
from dispatcher.domain.words import Reason


def waited(now: float, reason: Reason, why: Exception) -> ev.Waited:
    """The event for `why`: tried again when the network wishes, or what held the call back, but by the ladder at the
    soonest if the network was asked."""
    after = why.retry_after if isinstance(why, ProviderError) else None
    return ev.Waited(
        at=now,
        reason=reason,
        detail=str(why),
        sent=not isinstance(why, NotSent),
        retry_at=None if after is None else now + after,
    )
