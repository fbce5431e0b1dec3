"""Events that tell what the network answered or shows."""

from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import Field

from dispatcher.domain.cid import Cid
from dispatcher.domain.events.base import EventBase
from dispatcher.domain.ids import IdempotencyKey, RemoteAddress
from dispatcher.domain.money import Rate, Usd
from dispatcher.domain.words import Phase


class PostFound(EventBase):
    """The post had landed: the job is on the network, found there or named by a person (`by`).

    `amount`: US dollars that the network asks for its `seconds`.
    """

    kind: Literal["post_found"] = "post_found"
    key: IdempotencyKey
    address: RemoteAddress
    seconds: int
    amount: Usd
    by: str


class Posted(EventBase):
    """The job is on the network. `amount` US dollars are reserved for its `seconds`."""

    kind: Literal["posted"] = "posted"
    key: IdempotencyKey
    address: RemoteAddress
    run: str | None
    seconds: int
    amount: Usd
    reservation: str | None = None


class Extended(EventBase):
    """The job has `seconds` more for `amount` US dollars, or, if not `landed`, was over already: nothing was paid."""

    kind: Literal["extended"] = "extended"
    key: IdempotencyKey
    seconds: int
    amount: Usd = Decimal(0)
    landed: bool = True
    reservation: str | None = None


class StopConfirmed(EventBase):
    """The network took the stop: `delisted` off the queue, `ended` while running, or `already_terminal`."""

    kind: Literal["stop_confirmed"] = "stop_confirmed"
    key: IdempotencyKey
    outcome: Literal["delisted", "ended", "already_terminal"]


class Observed(EventBase):
    """The network shows the job differently from before. Times are unix seconds."""

    kind: Literal["observed"] = "observed"
    phase: Phase
    timeout: int
    started_at: float | None = None
    ended_at: float | None = None
    node: str | None = None
    result_cid: Cid | None = None
    status: str | None = None
    rate_per_hour: Rate | None = None
    output_at: float | None = None
    results: dict[str, str] = Field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """What the network shows, by the names of `Remote`'s fields."""
        apart = {"kind", *EventBase.model_fields}
        return {name: getattr(self, name) for name in Observed.model_fields if name not in apart}

    def moving(self) -> dict[str, Any]:
        """What may be different at every look while a job runs: that alone is not worth an entry in the log."""
        return {"output_at": self.output_at, "results": self.results}


class Looked(EventBase):
    """The network was asked and nothing changed, or it did not answer (`error`), or does not know it (`missing`)."""

    logged: ClassVar[bool] = False
    kind: Literal["looked"] = "looked"
    error: str | None = None
    missing: bool = False
    held_until: float | None = None
    """The network was not asked after all: the look was held back here until then."""
    pressing: bool = False
    """It was held back although it goes before those that can wait."""
    output_at: float | None = None
    """As `Observed` has it, where the network answered; likewise `results`."""
    results: dict[str, str] = Field(default_factory=dict)


class Adopted(EventBase):
    """The job had turned up twice on the network: it goes on as the older of the two, for whose `seconds` the network
    reserved `amount` US dollars beside what it reserved for the other."""

    kind: Literal["adopted"] = "adopted"
    address: RemoteAddress
    instead_of: RemoteAddress
    seconds: int
    amount: Usd
