"""Every call of the provider, with arguments that do for any of them."""

from collections.abc import Callable
from typing import Any, Final

from dispatcher.domain.cid import Cid
from dispatcher.domain.ids import IdempotencyKey, MarketAddress, RemoteAddress
from dispatcher.providers.nosana import NosanaProvider
from tests.providers.stand_in import ADDRESS, CID, DOCUMENT, MARKET, NODE

KEY = IdempotencyKey("job_01:post:1:1")

Call = Callable[[NosanaProvider], Any]

READS: Final[dict[str, Call]] = {
    "balance": lambda p: p.balance(),
    "markets": lambda p: p.markets(),
    "market": lambda p: p.market(MARKET),
    "required_resources": lambda p: p.required_resources(MarketAddress(MARKET)),
    "get": lambda p: p.get(RemoteAddress(ADDRESS)),
    "result": lambda p: p.result(Cid(CID)),
    "list_jobs": lambda p: p.list_jobs(),
}
KEYED: Final[dict[str, Call]] = {
    "post": lambda p: p.post(cid=Cid(CID), market=MarketAddress(MARKET), seconds=1800, node=None, key=KEY),
    "extend": lambda p: p.extend(RemoteAddress(ADDRESS), seconds=600, key=KEY),
    "stop": lambda p: p.stop(RemoteAddress(ADDRESS), key=KEY),
}
PIN: Final[dict[str, Call]] = {"pin": lambda p: p.pin(DOCUMENT)}
WRITES: Final = KEYED | PIN
ALL: Final = READS | WRITES


def post_to_node(p: NosanaProvider) -> Any:
    """A post for one host alone."""
    return p.post(cid=Cid(CID), market=MarketAddress(MARKET), seconds=1800, node=NODE, key=KEY)
