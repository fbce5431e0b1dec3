"""The log of a job is enough to derive its record again: held against every job of every world.

What is not in the log: `Looked` and `CallSought`, looks that brought nothing new. They move the counters that are
named here, and nothing else.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from dispatcher.domain.eventlog import is_whole
from dispatcher.domain.events import Event
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import replay

LOG: TypeAdapter[list[Event]] = TypeAdapter(list[Annotated[Event, Field(discriminator="kind")]])

BY_LOOKS = {
    "looked_at",
    "seen_at",
    "missing_since",
    "unchanged_looks",
    "error",
    "held_until",
    "held_pressing",
}
BY_LOOKS |= {"output_at", "results"}
"""Of `Remote`."""
BY_SEARCHES = {"looks", "held_until", "clear_at", "failed", "looked_at", "error", "hopeless"}
"""Of `Search`."""
BY_ALL = {"version", "updated_at"}


def counted_apart(job: Job) -> dict[str, Any]:
    """The record without what looks move that are not logged."""
    left_out = {**dict.fromkeys(BY_ALL, True), "remote": BY_LOOKS, "call": {"search": BY_SEARCHES}}
    return job.model_dump(exclude=left_out)


def assert_log_leads_to(job: Job, log: Sequence[Event]) -> None:
    """The events alone lead to the record, and JSON leads to the same events; of a log with gaps nothing is said."""
    if not is_whole(log):
        return
    assert counted_apart(replay(log)) == counted_apart(job)
    assert LOG.validate_json(LOG.dump_json(list(log))) == list(log)
