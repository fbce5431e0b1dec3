"""Dead letters, for applications: which there are, what is known of them, and what may be done."""

from collections.abc import Sequence
from typing import Any

from dispatcher.domain.ids import JobId
from dispatcher.domain.view import timestamp, view
from dispatcher.engine import dead
from dispatcher.library import parts as _parts
from dispatcher.spending import user as _user


def dead_letters(*, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """Jobs that were put aside after too many crashes, the newest first: `id`, `reason`, `crashes`, `at`."""
    return [
        {
            "id": letter.job_id,
            "reason": letter.reason,
            "crashes": letter.crashes,
            "at": timestamp(letter.at),
        }
        for letter in _parts().store.dead_letters(limit=limit, offset=offset)
    ]


def dead_letter(job_id: str) -> dict[str, Any]:
    """All that is known of a dead letter, or of a job that is on the way there: the fields of `dead_letters`, `dead`,
    `retry_at`, `dropped_at`, the `traceback`; the `job` as `JobHandle.view` shows it (None where nothing can be read);
    whether its record is `readable`, otherwise the `record` as it is kept; and `alive`: what may go on and cost on the
    network, None if surely nothing does.

    A job that cannot be read is told of by its log. Raises `UnknownJob`, and `NotPossible` for a job in no trouble.
    """
    parts, name = _parts(), JobId(job_id)
    letter = parts.store.trouble(name)
    job, told = dead.known(parts, name)
    raw = parts.store.raw(name)
    if raw is None or (letter is None and job is not None):
        raise dead.not_dead(parts, name)
    unread = "its record cannot be read"
    return {
        "id": name,
        "reason": letter.reason if letter else unread,
        "crashes": letter.crashes if letter else 0,
        "at": timestamp(letter.at) if letter else None,
        "dead": letter is not None and letter.dead,
        "retry_at": timestamp(letter.retry_at) if letter else None,
        "dropped_at": timestamp(letter.dropped_at) if letter else None,
        "traceback": letter.traceback if letter else "",
        "readable": job is not None,
        "record": parts.scrub(raw) if job is None else None,
        "job": None if told is None else view(told, parts.clock.now(), letter),
        "alive": dead.alive(told),
    }


def retry_dead(job_ids: Sequence[str] | None = None) -> list[str]:
    """Try dead letters again, each as often as a new job; all of them if none is named.

    The answer names those that were dead; the others stay as they are.
    """
    parts = _parts()
    if job_ids is None:
        return [*dead.retry_all(parts)]
    return [*dead.retry(parts, [JobId(job_id) for job_id in job_ids])]


def drop_dead(job_id: str, *, running: bool = False, by: str | None = None) -> dict[str, Any] | None:
    """End a dead letter for good, as failed (`dropped`); the answer is the job's view, None if it cannot be read.

    Its holds are settled, at everything that may be reserved unless it never reached the network; its request id
    stays known as long as the job is kept. Nothing is asked of the network. Raises `UnknownJob`, and `NotPossible`
    for a job that is not dead, or that may be alive on the network unless `running` is given.
    """
    parts = _parts()
    job = dead.drop(parts, JobId(job_id), by=by or _user(), running=running)
    return None if job is None else view(job, parts.clock.now())
