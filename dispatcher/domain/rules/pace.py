"""How long something is waited for until it is tried again: ladders, spread over the jobs."""

import math
import zlib

from dispatcher.domain.job import Job
from dispatcher.domain.job import Wait as Waiting
from dispatcher.domain.traffic import LONGEST_PRESSING_PAUSE
from dispatcher.domain.words import MONEY_WAITS, Operation, Reason


def ladder(job: Job, tries: int, first: float, longest: float) -> float:
    """Seconds until the next try: doubling from `first` to `longest`, spread by 15 % so that jobs do not march
    in step. The spread comes from the job's id: the same job always waits the same."""
    seconds = min(first * 2.0 ** min(max(tries - 1, 0), 16), longest)
    spread = zlib.crc32(f"{job.id}:{tries}".encode()) / 2**32
    return seconds * (0.85 + 0.3 * spread)


def spread(job: Job, number: int, seconds: float, at_most: float) -> float:
    """`seconds` until look `number`, shifted by up to 15 % so that looks of many jobs do not come in step, but to no
    more than `at_most`. The shift comes from the job's id and the number: the same look always comes the same."""
    share = zlib.crc32(f"{job.id}:look:{number}".encode()) / 2**32
    later = 0.15 if seconds * 1.15 <= at_most else 0.0
    return seconds * (0.85 + (0.15 + later) * share)


def call_retry(job: Job, tries: int, retry_after: float | None, left: float | None) -> float:
    """Seconds until an undecided call is sent again: the network's own wish, or a ladder from 2 s to 60 s (of a stop
    to 15 s: each second of its job is paid) that keeps several tries within the `left` seconds before a deadline.

    A stop or an extension is worth a try before a longer wish is over: after five minutes, or half of what is left."""
    if retry_after is not None:
        return max(min(retry_after, _patience(job, left)), 0.5)
    is_stop = job.call is not None and job.call.operation is Operation.STOP
    seconds = ladder(job, tries, 2.0, 15.0 if is_stop else 60.0)
    return min(seconds, max(left / 5, 1.0)) if left is not None and left > 0 else seconds


def _patience(job: Job, left: float | None) -> float:
    """The longest that a call may be kept waiting by what the network wishes."""
    if job.call is None or job.call.operation is Operation.POST:
        return math.inf
    if left is None or left <= 0:
        return LONGEST_PRESSING_PAUSE
    return min(LONGEST_PRESSING_PAUSE, max(left / 2, 1.0))


def next_try(job: Job) -> float:
    """When something that a new job waits for is tried again."""
    if job.wait is None:
        return 0
    if job.wait.reason is Reason.AWAITING_PRICE:
        return climbed(job, job.wait, 60.0, 600.0)
    if job.wait.reason in MONEY_WAITS:
        return climbed(job, job.wait, 30.0, 600.0)
    return climbed(job, job.wait, 2.0, 60.0)


def climbed(job: Job, wait: Waiting, first: float, longest: float) -> float:
    """When a wait is over: after the ladder's step, or when the network wants to be asked, whichever is later.
    Without a try, as it was held back each time, there is no step."""
    step = ladder(job, wait.tries, first, longest) if wait.tries else 0.0
    return max(wait.last + step, wait.retry_at or 0.0)
