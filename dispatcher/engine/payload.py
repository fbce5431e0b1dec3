"""What a paid call asks for, as one digest: saved with the call's key, and compared before every sending.

The network refuses a key that comes back with another payload, and by then nobody knows what the first one did. So
the dispatcher itself makes sure, before it sends, that it asks for what it wrote down.
"""

import hashlib
import json
from typing import assert_never

from dispatcher.domain.errors import Bug
from dispatcher.domain.job import Job
from dispatcher.domain.words import Operation


def digest(job: Job, operation: Operation, seconds: int) -> str:
    """SHA-256 (hex) of everything that is sent with the key."""
    asked: list[object]
    match operation:
        case Operation.POST:
            asked = [job.cid, job.quote.market if job.quote else None, seconds, job.spec.node]
        case Operation.EXTEND:
            asked = [job.remote.address if job.remote else None, seconds]
        case Operation.STOP:
            asked = [job.remote.address if job.remote else None]
        case _:
            assert_never(operation)
    text = json.dumps([operation.value, *asked], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def check(job: Job) -> None:
    """Raises `Bug` if the open call of `job` would ask for something else than was written down."""
    call = job.call
    if call is not None and call.payload and call.payload != digest(job, call.operation, call.seconds):
        raise Bug(f"{call.key} was written down for something else than is about to be sent: it was not sent")
