"""A compute network, seen through one account."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from dispatcher.domain.cid import Cid
from dispatcher.domain.definition.stamp import Stamp
from dispatcher.domain.ids import AccountName, IdempotencyKey, MarketAddress, ProjectAddress, RemoteAddress
from dispatcher.domain.outcome import RunReport
from dispatcher.domain.traffic import Looking
from dispatcher.domain.words import Phase
from dispatcher.ports.traffic import Lane, LaneView


@dataclass(frozen=True, slots=True)
class Balance:
    """The account's credits, US dollars."""

    assigned: Decimal
    reserved: Decimal
    settled: Decimal

    @property
    def available(self) -> Decimal:
        return self.assigned - self.reserved - self.settled


@dataclass(frozen=True, slots=True)
class Market:
    """A pool of machines. `usd_per_hour` is without the fee; None where the network shows no usable price."""

    address: MarketAddress
    slug: str
    name: str
    kind: str
    usd_per_hour: Decimal | None
    fee_percent: Decimal
    gpu_types: tuple[str, ...] = ()
    lowest_vram: int | None = None

    @property
    def rate_per_hour(self) -> Decimal | None:
        """US dollars an hour with the fee: what is reserved and settled."""
        if self.usd_per_hour is None:
            return None
        return self.usd_per_hour * (1 + self.fee_percent / 100)


@dataclass(frozen=True, slots=True)
class RequiredResources:
    """What every host of a market must have at hand."""

    images: tuple[str, ...]
    remote_resources: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class PostedJob:
    """The answer to a post. `amount`: US dollars reserved."""

    address: RemoteAddress
    run: str | None
    amount: Decimal
    reservation: str | None
    tx: str | None = None
    project: ProjectAddress | None = None


@dataclass(frozen=True, slots=True)
class ExtendedJob:
    """The answer to an extension. `landed` is False where the job was over already: nothing was reserved."""

    amount: Decimal
    landed: bool
    reservation: str | None = None
    tx: str | None = None


@dataclass(frozen=True, slots=True)
class StoppedJob:
    """The answer to a stop."""

    outcome: Literal["delisted", "ended", "already_terminal"]
    tx: str | None = None


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """The network's record of a job. Times are unix seconds, None until set; `usd_per_hour` without the fee."""

    phase: Phase
    timeout: int
    started_at: float | None
    ended_at: float | None
    node: str | None
    result_cid: Cid | None
    status: str | None
    usd_per_hour: Decimal | None
    cid: Cid | None = None
    market: MarketAddress | None = None
    listed_at: float | None = None
    stamp: Stamp | None = None
    """The dispatcher's mark in its definition, if that is shown and bears one."""
    defined: bool = False
    """Whether its definition is shown: the network fills it in from IPFS after a while."""
    project: ProjectAddress | None = None
    output_at: float | None = None
    """When something last came out of it, where the network shows that while it runs (`Capabilities.live_output`)."""
    results: Mapping[str, str] = field(default_factory=dict)
    """What it shows of its results while it runs, as text, by their names."""


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job of the account as the network's list shows it. Times are unix seconds, None until set; `timeout`: seconds
    of run time that are allowed and paid for."""

    address: RemoteAddress
    cid: Cid | None
    market: MarketAddress | None
    phase: Phase
    listed_at: float | None
    timeout: int
    started_at: float | None
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class JobResult:
    """A host's result document, and what it says about how the run went."""

    report: RunReport
    document: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a network can do."""

    idempotency_keys: bool
    """Repeats of a call under one key have one effect."""
    pins: bool
    """Definitions are pinned to IPFS before they are posted."""
    extends: bool
    finds: bool
    """The account's jobs can be listed: the network can do that, and the account's project is known."""
    live_output: bool = False
    """Its record of a job shows what comes out of it while it runs (not so on Nosana: logs and results come with the
    result document after the end; docs/nosana.md)."""


class Provider(Protocol):
    """One account on one network. Every method may raise `ProviderError` and nothing else.

    Writes take an idempotency key; the same key with the same arguments has at most one effect, unless the
    capabilities say that this network knows no keys.
    """

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def balance(self) -> Balance: ...

    def markets(self) -> tuple[Market, ...]: ...

    def market(self, market: str) -> Market:
        """By address or slug. Raises `NotFound` or `Refused` for an unknown one."""
        ...

    def required_resources(self, market: MarketAddress) -> RequiredResources: ...

    def pin(self, document: bytes) -> Cid:
        """Pin a definition (compact JSON) and return its CID."""
        ...

    def post(
        self, *, cid: Cid, market: MarketAddress, seconds: int, node: str | None, key: IdempotencyKey
    ) -> PostedJob: ...

    def get(self, address: RemoteAddress) -> RemoteJob: ...

    def learn_project(self, project: ProjectAddress) -> None:
        """Take note of whose jobs this account's are: from then on they can be listed."""
        ...

    @property
    def project(self) -> ProjectAddress | None:
        """Whose jobs this account's are, if that is known."""
        ...

    def list_jobs(
        self,
        *,
        phase: Phase | None = None,
        market: MarketAddress | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[ListedJob, ...]:
        """The account's jobs, the latest started first and those that never started last; at most 50.

        Jobs that are listed, start or end between two pages move: a page may lack one or repeat it. A job is not
        in the list before the network's index has it, nor after it was taken off the queue. Raises
        `SettingsError` where `capabilities.finds` is False, `ValueError` for a `limit` that is not 1 to 50.
        """
        ...

    def extend(self, address: RemoteAddress, *, seconds: int, key: IdempotencyKey) -> ExtendedJob:
        """Add `seconds`."""
        ...

    def stop(self, address: RemoteAddress, *, key: IdempotencyKey) -> StoppedJob: ...

    def result(self, cid: Cid) -> JobResult:
        """Its document is fit to be stored: bounded, without secrets; its report is read from the whole."""
        ...


class Providers(Protocol):
    """Accounts by name."""

    def account(
        self, name: AccountName, *, before: float | None = None, looking: Looking | None = None
    ) -> Provider:
        """`before`: for a stop or an extension that is worth nothing after that (unix seconds): what holds calls back
        lets it go in time. `looking`: for a look at a job, which counts among the account's looks. Raises
        `SettingsError` for an account that the settings do not know.
        """
        ...

    def names(self) -> tuple[AccountName, ...]: ...

    def lanes(self, name: AccountName) -> tuple[tuple[Lane, LaneView], ...]:
        """What holds the account's calls back now, for each API; the network is not asked. Empty where nothing is
        ever held back, and for an account that the settings do not know."""
        ...
