"""Every error of the dispatcher, in one tree split by whose fault it is.

    DispatcherError
      RequestError        the producer's or operator's input
        InvalidRequest      the request is wrong; lists every fault
        RequestConflict     the request id was used for another request
        UnknownJob          no such job
        UnknownSchedule     no such schedule
        TooManyJobs         no further job can be kept
        NotPossible         the job is not in a state where that can be done
      SettingsError       the settings
      ProviderError       the network, with a verdict: what may be done next
        NoAnswer            cut or timed out: a write may have landed
        Unavailable         5xx
        RateLimited         429
        KeyInProgress       409: the same key is still being worked on
        KeyExpired          409: surely did not happen; a new key is needed
        KeyMismatch         409: the key was used with another payload; a bug of ours
        InsufficientCredits 402
        Unauthorized        401
        Forbidden           403
        NotFound            404
        Refused             any other 4xx
        MalformedAnswer     2xx that cannot be understood: a write may have landed
        NotSent             held back here: the network was not asked
      StoreError          the store
        StoreUnavailable    cannot be reached
        LeaseLost           somebody else has the job now; nothing was saved
        UnreadableRecord    what is kept of a job cannot be read; it is left as it is
        UnreadableSchedule  the same of a schedule
      BrokerUnavailable   the message broker cannot be reached: it may not have taken what was sent
      Bug                 a promise of the code itself is broken

Errors are translated once, where the outside comes in, with the cause kept. No message holds a secret.
"""

import copyreg
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from dispatcher.domain.faults import Fault


class DispatcherError(Exception):
    """The root: whoever wants to catch everything of ours catches this."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as it is: the base class would call `__init__` again, with the message for its only argument."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


# --- the producer's or operator's input -------------------------------------------------------------------


class RequestError(DispatcherError):
    """What was asked for cannot be done as it was asked."""


class InvalidRequest(RequestError):
    """The request is wrong. Nothing was stored and nothing was spent. `faults` lists everything at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{count} in the request:\n" + "\n".join(f"  {fault}" for fault in self.faults))


class RequestConflict(RequestError):
    """The request id is taken by a request that asked for something else. Nothing was stored."""

    def __init__(self, request_id: str, job_id: str) -> None:
        self.request_id = request_id
        self.job_id = job_id
        super().__init__(
            f"request id {request_id!r} belongs to job {job_id}, which asked for something else: "
            "send the same request again to get that job, or take another request id for this one"
        )


class UnknownJob(RequestError):
    """No job has this id (or its retention time is over)."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(f"no job {job_id!r}: `dispatcher jobs` lists those that are kept")


class UnknownSchedule(RequestError):
    """No schedule has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no schedule {name!r}: `dispatcher schedule list` shows those that there are")


class TooManyJobs(RequestError):
    """As many jobs are kept as may be, those that are over included. Nothing was stored; try again later."""

    def __init__(self, kept: int, at_most: int) -> None:
        self.kept = kept
        self.at_most = at_most
        super().__init__(
            f"{kept} jobs are kept, of {at_most} at most, and these would be too many: those that are over are "
            "forgotten after DISPATCHER_RETENTION, make that shorter or DISPATCHER_JOBS_AT_MOST larger"
        )


class NotPossible(RequestError):
    """The job is not in a state where that can be done."""


class SettingsError(DispatcherError):
    """The settings are wrong or incomplete; the message names the variable."""


# --- the network ------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What may be done after a call failed."""

    SAME_KEY = "same_key"  # undecided: ask again with the same key
    NEW_KEY = "new_key"  # surely did not happen, and the key is dead: ask again with a new one
    FINAL = "final"  # asking again gives the same answer


class ProviderError(DispatcherError):
    """The network did not do what was asked. `text` is its own words, bounded, without secrets."""

    verdict: ClassVar[Verdict] = Verdict.FINAL

    def __init__(
        self, operation: str, text: str, *, status: int | None = None, retry_after: float | None = None
    ):
        self.operation = operation
        self.text = text
        self.status = status
        self.retry_after = retry_after
        """Seconds after which the network wants to be asked again, or None."""
        said = f" (HTTP {status})" if status is not None else ""
        super().__init__(f"{operation}: {text}{said}")


class NoAnswer(ProviderError):
    """The connection was cut or timed out. A write is undecided: it may have landed."""

    verdict = Verdict.SAME_KEY


class Unavailable(ProviderError):
    """5xx: transient. Reads and keyed writes may be repeated."""

    verdict = Verdict.SAME_KEY


class RateLimited(ProviderError):
    """429, perhaps with Retry-After."""

    verdict = Verdict.SAME_KEY


class KeyInProgress(ProviderError):
    """409 IDEMPOTENCY_KEY_IN_PROGRESS: the first call with this key is still under way."""

    verdict = Verdict.SAME_KEY


class KeyExpired(ProviderError):
    """409 IDEMPOTENCY_KEY_EXPIRED: the call surely did not happen; the key is dead."""

    verdict = Verdict.NEW_KEY


class KeyMismatch(ProviderError):
    """409 IDEMPOTENCY_KEY_PAYLOAD_MISMATCH: the key was used with another payload. A bug of ours."""


class InsufficientCredits(ProviderError):
    """402: too little credit. `available` and `required` are US dollars where the network named them."""

    def __init__(
        self,
        operation: str,
        text: str,
        *,
        status: int | None = None,
        available: Decimal | None = None,
        required: Decimal | None = None,
    ) -> None:
        self.available = available
        self.required = required
        super().__init__(operation, text, status=status)


class Unauthorized(ProviderError):
    """401: the account's key is missing or wrong."""


class Forbidden(ProviderError):
    """403: not the owner, or the market takes no credits."""


class NotFound(ProviderError):
    """404: unknown; also a queued job after it was taken off the queue, and a new one for some seconds."""


class Refused(ProviderError):
    """Any other 4xx: the request itself is refused."""


class MalformedAnswer(ProviderError):
    """A 2xx answer that cannot be understood. A write is undecided: it may have landed."""

    verdict = Verdict.SAME_KEY


class NotSent(ProviderError):
    """Held back here by a rate limit, a pause or a breaker: nothing was sent, and nothing happened.

    `retry_after`: seconds after which it is worth a try.
    """

    verdict = Verdict.SAME_KEY


# --- the store --------------------------------------------------------------------------------------------


class StoreError(DispatcherError):
    """The store did not do what was asked."""


class StoreUnavailable(StoreError):
    """The store cannot be reached; nothing is known to be saved."""


class LeaseLost(StoreError):
    """The lease on the job ran out or somebody else has it: nothing was saved, and this worker must let go."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(f"the lease on {job_id} is lost")


class UnreadableRecord(StoreError):
    """What is kept of one job cannot be read: a newer version wrote it, or it is damaged. It is left as it is.

    `token` is the lease that was taken before it was read, None where none was; `crashes`: how many turns of the
    job failed before.
    """

    def __init__(
        self, job_id: str, what: str = "the record", *, token: int | None = None, crashes: int = 0
    ) -> None:
        self.job_id = job_id
        self.token = token
        self.crashes = crashes
        super().__init__(
            f"{what} of {job_id} cannot be read: a newer version wrote it, or it is damaged. Run the version that "
            f"wrote it, or see `dispatcher dead show {job_id}`"
        )


class UnreadableSchedule(StoreError):
    """What is kept of one schedule cannot be read. Nothing is enqueued for it, and it is left as it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"the schedule {name} cannot be read: a newer version wrote it, or it is damaged. Run the version that "
            f"wrote it, or make it anew after `dispatcher schedule remove {name}`"
        )


class BrokerUnavailable(DispatcherError):
    """The message broker cannot be reached: what was sent may not have been taken."""


class Bug(DispatcherError):
    """A promise of the code itself is broken. Please report it."""
