"""What calls and their holds are named by: the same call has the same name, whoever makes it."""

from dispatcher.domain.ids import HoldId, IdempotencyKey, JobId
from dispatcher.domain.words import Operation


def key(job_id: JobId, operation: Operation, ordinal: int, epoch: int) -> IdempotencyKey:
    """`job_…:extend:2:1`: the same call has the same key, whoever computes it, before and after any crash."""
    return IdempotencyKey(f"{job_id}:{operation}:{ordinal}:{epoch}")


def hold_name(job_id: JobId, operation: Operation, ordinal: int) -> HoldId:
    """The hold of one call, through all its epochs."""
    return HoldId(f"{job_id}:{operation}:{ordinal}")
