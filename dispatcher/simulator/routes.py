"""Which route a path is. The paths are the network's, with and without `/api` and with or without a last
slash."""

from dataclasses import dataclass
from urllib.parse import unquote

_FIXED: dict[tuple[str, ...], str] = {
    ("GET", "credits", "balance"): "credits.balance",
    ("POST", "jobs", "list"): "jobs.list",
    ("GET", "jobs"): "jobs.query",
    ("GET", "markets"): "markets.list",
    ("POST", "pinning", "pinJSONToIPFS"): "ipfs.pin",
    ("POST", "pinning", "pinFileToIPFS"): "ipfs.pin",
    ("GET", "simulator", "ledger"): "simulator.ledger",
    ("GET", "simulator", "jobs"): "simulator.jobs",
    ("GET", "simulator", "clock"): "simulator.clock",
    ("GET", "simulator", "faults"): "simulator.faults",
    ("POST", "simulator", "faults"): "simulator.faults",
    ("POST", "simulator", "credits"): "simulator.credits",
    ("POST", "simulator", "host-quits"): "simulator.host_quits",
    ("GET", "simulator", "markets"): "simulator.markets",
    ("POST", "simulator", "markets"): "simulator.markets",
}
_BATCHES: dict[tuple[str, ...], str] = {
    ("POST", "jobs", "list", "batch"): "jobs.list.batch",
    ("POST", "jobs", "extend", "batch"): "jobs.extend.batch",
    ("POST", "jobs", "stop", "batch"): "jobs.stop.batch",
}
_OF_ONE = {
    ("GET", "jobs", ""): "jobs.get",
    ("POST", "jobs", "extend"): "jobs.extend",
    ("POST", "jobs", "stop"): "jobs.stop",
    ("GET", "markets", ""): "markets.get",
    ("GET", "markets", "required-resources"): "markets.required_resources",
    ("GET", "ipfs", ""): "ipfs.get",
}


@dataclass(frozen=True, slots=True)
class Route:
    """A route's name (`jobs.get`) and what its path names: a job, a market or a CID."""

    name: str
    target: str = ""


def route_of(method: str, path: str, *, batches: bool) -> Route | None:
    """The route of a request, None if there is none. `batches`: whether this generation has the batch routes."""
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        del parts[0]
    name = _FIXED.get((method, *parts))
    if name is not None:
        return Route(name)
    if batches and (method, *parts) in _BATCHES:
        return Route(_BATCHES[(method, *parts)])
    if len(parts) not in (2, 3) or not parts[1]:
        return None
    name = _OF_ONE.get((method, parts[0], parts[2] if len(parts) == 3 else ""))
    return None if name is None else Route(name, unquote(parts[1]))
