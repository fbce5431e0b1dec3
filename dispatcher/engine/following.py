"""A job's log while it grows, by reading the store again and again from the position reached."""

from collections.abc import Callable, Iterator

from dispatcher.domain.errors import NotPossible, UnknownJob, UnreadableRecord
from dispatcher.domain.events import Event
from dispatcher.domain.ids import JobId
from dispatcher.ports.dead import Unreadable
from dispatcher.ports.store import JobStore


def follow(store: JobStore, job_id: JobId, pause: Callable[[], object]) -> Iterator[Event | Unreadable]:
    """Every entry of the log, those that come included, until the job is over; `pause` is called where nothing is new.

    Raises `UnknownJob`; `NotPossible` once the job is a dead letter, since then it does not end by itself.
    """
    position = 0
    while True:
        over = _is_over(store, job_id, known=position > 0)  # asked first: what it says is then in the log
        trouble = store.trouble(job_id)
        entries = store.log(job_id, position)
        yield from entries
        position += len(entries)
        if over:
            return
        if trouble is not None and trouble.dead:
            raise NotPossible(
                f"{job_id} is a dead letter ({trouble.reason}): nothing happens to it until "
                f"`dispatcher dead retry {job_id}`"
            )
        if not entries:
            pause()


def _is_over(store: JobStore, job_id: JobId, *, known: bool) -> bool:
    try:
        job = store.load(job_id)
    except UnreadableRecord:
        return False  # its log goes on, and if it does not, it becomes a dead letter
    if job is None and not known:
        raise UnknownJob(job_id)
    return job is None or job.state.is_final
