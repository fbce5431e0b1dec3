"""Events of a job's way from its request to its end."""

from decimal import Decimal
from typing import Literal

from dispatcher.domain.cid import Cid
from dispatcher.domain.events.base import EventBase
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Ending, Quote
from dispatcher.domain.money import Usd
from dispatcher.domain.request import JobSpec
from dispatcher.domain.words import Reason, State


class Enqueued(EventBase):
    """The request was accepted and stored."""

    kind: Literal["enqueued"] = "enqueued"
    id: JobId
    spec: JobSpec
    fingerprint: str
    cid: Cid
    stamped: bool = False


class Waited(EventBase):
    """Something that is needed is not there: the job waits and tries again. `short_usd`: the missing cover;
    `scope`: whose budget does not allow it."""

    kind: Literal["waited"] = "waited"
    reason: Reason
    detail: str = ""
    short_usd: Usd | None = None
    scope: str | None = None
    sent: bool = True
    """False: the network was not asked, the call was held back here. That is not a try."""
    retry_at: float | None = None
    """Before when it is not worth a try, as the network says, or what holds it back."""


class Woken(EventBase):
    """What the job waits for may be there now: it is tried again at once."""

    kind: Literal["woken"] = "woken"
    by: str


class CreditHeld(EventBase):
    """The price is known and the credits for the first posting are set aside."""

    kind: Literal["credit_held"] = "credit_held"
    quote: Quote


class Pinned(EventBase):
    """The definition is on IPFS; `known`: it had been pinned before and was not sent again."""

    kind: Literal["pinned"] = "pinned"
    known: bool


class Mended(EventBase):
    """Something about the job's place in the store, or on the network, was found wrong and was put right."""

    kind: Literal["mended"] = "mended"
    what: str


class Ended(EventBase):
    """The job is over, its cost (`settled`: of all attempts) known, its holds about to be closed."""

    kind: Literal["ended"] = "ended"
    state: State
    reason: Reason
    ending: Ending
    settled: Usd


class AttemptEnded(EventBase):
    """An attempt is over and settled, and the retry policy makes another: `why` names its part that decided.

    `state`, `reason` and `ending` are what the job itself would have ended with; `settled` is what this attempt did
    cost. The next one goes to `place` (an index into the spec's places), not before `retry_at`; `rapid` counts rapid
    ends in a row, this one too. `keep`: so much of what was held for this attempt, and not used, stays held.
    """

    kind: Literal["attempt_ended"] = "attempt_ended"
    attempt: int
    state: State
    reason: Reason
    ending: Ending
    settled: Usd
    why: str
    place: int
    retry_at: float
    rapid: int = 0
    keep: Usd = Decimal(0)


class Moved(EventBase):
    """The place where the attempt was to run is passed over for the next one: `detail` says why. `awaited`: it may
    be had later."""

    kind: Literal["moved"] = "moved"
    place: int
    reason: Reason
    detail: str
    awaited: bool = True


class Released(EventBase):
    """All jobs that it was to come after are over. `cid`: of its definition, with their results taken in."""

    kind: Literal["released"] = "released"
    cid: Cid
    taken: tuple[str, ...] = ()
    """The places of the definition that were filled in."""
