"""What a job can still cost, read off its record in whole micro-dollars: the same for every store."""

from dataclasses import dataclass

from dispatcher.domain.bounds import costs
from dispatcher.domain.job import Job
from dispatcher.store.micros import rounded_up


@dataclass(frozen=True, slots=True)
class Exposed:
    """`committed`: at most, if every dispatcher process died now; `allowed`: at most by its policies, None where
    nothing limits it."""

    committed: int
    allowed: int | None


def exposed(job: Job) -> Exposed | None:
    """None for a job that is over."""
    if job.state.is_final:
        return None
    figures = costs(job, job.updated_at)
    allowed = None if figures.allowed is None else rounded_up(figures.allowed)
    return Exposed(rounded_up(figures.committed), allowed)
