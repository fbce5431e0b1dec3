"""What a look at the network comes to, as an event: the same for the engine and for a forecast."""

from dispatcher.domain.events import Looked, Observed
from dispatcher.domain.job import Remote
from dispatcher.domain.words import Phase

_KEPT = {
    "timeout",
    "started_at",
    "ended_at",
    "node",
    "result_cid",
    "status",
    "rate_per_hour",
    "output_at",
    "results",
}


def looked(remote: Remote, seen: Observed) -> Looked | Observed:
    """`seen` if it tells anything that the record does not hold already; otherwise only that somebody looked."""
    moving = seen.moving()
    unchanged = all(
        getattr(remote, name) == value for name, value in seen.shown().items() if name not in moving
    )
    return Looked(at=seen.at, **moving) if unchanged and remote.seen_at is not None else seen


def gone(remote: Remote, now: float) -> Observed:
    """The network does not know the job any more: what it showed last stays, but for the phase."""
    return Observed(at=now, phase=Phase.GONE, **remote.model_dump(include=_KEPT))
