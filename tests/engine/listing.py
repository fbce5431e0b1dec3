"""A network whose jobs can be listed, as the engine sees it, and jobs on it that no record has."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from structlog.testing import capture_logs

from dispatcher.domain.cid import Cid
from dispatcher.domain.definition.canonical import canonical_json
from dispatcher.domain.definition.stamp import stamp
from dispatcher.domain.ids import AccountName, IdempotencyKey, JobId, MarketAddress, RemoteAddress
from dispatcher.domain.words import Phase
from dispatcher.engine.reconcile import reconcile
from dispatcher.engine.strays import Sighting
from dispatcher.ports.mending import Stray
from dispatcher.ports.provider import Capabilities, ListedJob
from dispatcher.simulator.jobs import Job as Remote
from tests.world import ADDRESS, World, definition

_PHASES = {0: Phase.QUEUED, 1: Phase.RUNNING, 2: Phase.DONE, 3: Phase.HOST_QUIT}
DEFAULT = AccountName("default")


class Listing:
    """One account; `before_stop` is called before each stop, and may raise. `listings` counts the pages."""

    def __init__(self, provider: Any, world: World, account: str) -> None:
        self._provider, self._world, self._account = provider, world, account
        self.listings, self.reads, self.stop_keys = 0, 0, list[str]()
        self.before_stop: Callable[[], None] = lambda: None
        self.before_list: Callable[[], None] = lambda: None

    @property
    def capabilities(self) -> Capabilities:
        return replace(self._provider.capabilities, finds=True)

    def list_jobs(
        self, *, phase: Phase | None = None, market: Any = None, limit: int = 50, offset: int = 0
    ) -> tuple[ListedJob, ...]:
        self.before_list()
        self.listings += 1
        now = self._world.network.advance()
        mine = self._world.network.accounts.of_key(f"nos_{self._account}")
        found = [
            listed(job)
            for job in reversed(list(self._world.network))
            if job.account is mine and job.visible_at <= now and str(job.end) != "delisted"
        ]
        return tuple(job for job in found if phase in (None, job.phase))[offset : offset + limit]

    def get(self, address: RemoteAddress) -> Any:
        self.reads += 1
        return self._provider.get(address)

    def stop(self, address: RemoteAddress, *, key: IdempotencyKey) -> Any:
        self.stop_keys.append(key)
        self.before_stop()
        return self._provider.stop(address, key=key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


class Listings:
    """The accounts."""

    def __init__(self, world: World) -> None:
        names = world.parts.providers.names()
        self._all = {name: Listing(world.parts.providers.account(name), world, name) for name in names}

    def account(self, name: AccountName, *, before: float | None = None, looking: Any = None) -> Listing:
        return self._all[name]

    def names(self) -> tuple[AccountName, ...]:
        return tuple(self._all)


def listed(job: Remote) -> ListedJob:
    return ListedJob(
        address=RemoteAddress(job.address),
        cid=Cid(job.cid),
        market=MarketAddress(job.market.address),
        phase=_PHASES[int(job.state)],
        listed_at=float(int(job.listed_at)),
        timeout=job.timeout,
        started_at=float(job.time_start) or None,
        ended_at=float(job.time_end) or None,
    )


def with_listing(world: World) -> Listing:
    """Let the world's accounts be listed; the default one is returned."""
    listings = Listings(world)
    world.parts = replace(world.parts, providers=listings)
    return listings.account(DEFAULT)


def stamped(number: int, **simulated: Any) -> dict[str, Any]:
    """A definition with the stamp of the world's job of this number, counted from 1."""
    return stamp(definition(**simulated), dispatch_id=f"job_{number:024x}", attempt=1)


def post_behind_its_back(
    world: World, document: dict[str, Any], name: str = "a", *, seconds: int = 14_400
) -> RemoteAddress:
    """A job on the account that no record has: the key is nobody's."""
    provider = world.parts.providers.account(DEFAULT)
    cid = provider.pin(canonical_json(document))
    key = IdempotencyKey(f"behind:{name}")
    return provider.post(cid=cid, market=MarketAddress(ADDRESS), seconds=seconds, node=None, key=key).address


def remote(world: World, address: RemoteAddress) -> Remote:
    world.network.advance()
    job = world.network.job(address)
    assert job is not None
    return job


def address_of(world: World, job_id: JobId) -> RemoteAddress:
    found = world.job(job_id).remote
    assert found is not None
    return found.address


LONG = {"runs_for": "3h"}


def looked(world: World, *, whole: bool = True) -> Sighting:
    found = reconcile(world.parts, whole=whole)
    assert not found.unseen
    return found.sightings[DEFAULT]


def lines(world: World, level: str) -> list[dict[str, Any]]:
    with capture_logs() as logs:
        reconcile(world.parts, whole=True)
    return [dict(line) for line in logs if line["log_level"] == level]


def the_stray(world: World) -> Stray:
    (stray,) = world.parts.store.strays()
    return stray


def orphaned(**simulated: Any) -> tuple[World, Listing, JobId, RemoteAddress]:
    """A job that is over since long, and another one with its stamp that runs on the network."""
    world = World()
    listing = with_listing(world)
    document = stamped(1, **{**LONG, **simulated})
    job_id = world.enqueue(document)
    world.run_for(30)
    world.stop(job_id)
    world.run()
    address = post_behind_its_back(world, document)
    world.clock.move(200)
    listing.stop_keys.clear()
    return world, listing, job_id, address


def twice(*, older_recorded: bool) -> tuple[World, Listing, JobId, RemoteAddress]:
    """A job that is on the network twice; which of the two its record has. Ten minutes have passed."""
    world = World()
    listing = with_listing(world)
    document = stamped(1, runs_for="30m")
    stray = None if older_recorded else post_behind_its_back(world, document, seconds=3600)
    world.clock.move(20)
    job_id = world.enqueue(document, timeout="1h")
    world.run_for(20)
    stray = stray or post_behind_its_back(world, document, seconds=3600)
    world.run_for(600)
    return world, listing, job_id, stray
