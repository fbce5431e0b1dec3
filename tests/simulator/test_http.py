"""Routes, error answers, markets and the simulator's own routes."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.simulator.markets import PREMIUM_3060, Market, market_document
from dispatcher.simulator.network import Options
from dispatcher.simulator.routes import route_of


@pytest.mark.parametrize(
    ("method", "path", "name", "target"),
    [
        ("GET", "/api/credits/balance", "credits.balance", ""),
        ("GET", "/credits/balance", "credits.balance", ""),
        ("POST", "/api/jobs/list", "jobs.list", ""),
        ("POST", "/jobs/list", "jobs.list", ""),
        ("GET", "/api/jobs/", "jobs.query", ""),
        ("GET", "/jobs", "jobs.query", ""),
        ("GET", "/api/jobs/abc", "jobs.get", "abc"),
        ("GET", "/api/jobs/abc/", "jobs.get", "abc"),
        ("GET", "/jobs/abc", "jobs.get", "abc"),
        ("POST", "/api/jobs/%7Baddress%7D/extend", "jobs.extend", "{address}"),
        ("POST", "/jobs/abc/stop", "jobs.stop", "abc"),
        ("POST", "/api/jobs/extend/batch", "jobs.extend.batch", ""),
        ("GET", "/api/markets", "markets.list", ""),
        ("GET", "/api/markets/", "markets.list", ""),
        ("GET", "/markets/abc/", "markets.get", "abc"),
        ("GET", "/api/markets/abc", "markets.get", "abc"),
        ("GET", "/api/markets/abc/required-resources", "markets.required_resources", "abc"),
        ("GET", "/api/markets/abc/required-resources/", "markets.required_resources", "abc"),
        ("POST", "/pinning/pinFileToIPFS", "ipfs.pin", ""),
        ("GET", "/ipfs/Qm", "ipfs.get", "Qm"),
    ],
)
def test_routes(method: str, path: str, name: str, target: str) -> None:
    route = route_of(method, path, batches=True)
    assert route is not None
    assert (route.name, route.target) == (name, target)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/ipfsQm"),
        ("GET", "/ipfs/"),
        ("POST", "/api/jobs/create-with-credits"),
        ("DELETE", "/api/jobs/abc"),
        ("POST", "/api/jobs/abc/resume"),
        ("POST", "/api/jobs/abc/stop/now"),
        ("POST", "/api/jobs"),
    ],
)
def test_there_is_nothing_else(world: Any, method: str, path: str) -> None:
    assert route_of(method, path, batches=True) is None
    reply = world.call(method, path)
    assert (reply.status, reply.json()) == (404, {"message": "Not Found", "code": "NOT_FOUND"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/credits/balance"),
        ("POST", "/api/jobs/list"),
        ("POST", "/api/jobs/abc/extend"),
        ("POST", "/api/jobs/abc/stop"),
        ("POST", "/api/jobs/stop/batch"),
    ],
)
def test_keys_are_asked_for(world: Any, method: str, path: str) -> None:
    missing = world.call(method, path, api_key=None)
    assert (missing.status, missing.json()) == (401, {"message": "Unauthorized"})
    wrong = world.call(method, path, api_key="nos_wrong")
    assert (wrong.status, wrong.json()) == (401, {"name": "Unauthorized", "message": "Invalid API key"})
    for header in ("Basic abc", "Bearer", world.key):
        odd = world.call(method, path, api_key=None, headers={"Authorization": header})
        assert odd.status == 401


def test_jobs_and_markets_are_public(world: Any) -> None:
    job = world.job()
    for path in (f"/api/jobs/{job}", "/api/markets/", f"/api/markets/{world.market}/"):
        for api_key in (None, "nos_wrong"):
            assert world.call("GET", path, api_key=api_key).status == 200


def _validation(path: str, message: str) -> dict[str, Any]:
    return {
        "type": "validation",
        "on": "body",
        "property": path,
        "message": message,
        "expected": {},
        "errors": [],
    }


_BAD_TIMEOUT = {"message": "Invalid request: 'timeout' must be a number of seconds from 60 to 360000"}
_BAD_CID = {"message": "Invalid request: 'ipfsHash' is not a CIDv0"}


@pytest.mark.parametrize(
    ("changes", "status", "body"),
    [
        ({"market": None}, 422, _validation("/market", "Expected string")),
        ({"ipfsHash": 5}, 422, _validation("/ipfsHash", "Expected string")),
        ({"node": 5}, 422, _validation("/node", "Expected string")),
        ({"ipfsHash": "nope"}, 400, _BAD_CID),
        ({"ipfsHash": "Qm" + "1" * 44}, 400, _BAD_CID),
        ({"market": "So11111111111111111111111111111111111111112"}, 400, {"message": "Market not found"}),
        ({"market": "nvidia-3060"}, 400, {"message": "Market not found"}),
        ({"node": "nope"}, 400, {"message": "Invalid request: 'node' is not an address"}),
        ({"timeout": 59}, 400, _BAD_TIMEOUT),
        ({"timeout": 360_001}, 400, _BAD_TIMEOUT),
        ({"timeout": "soon"}, 400, _BAD_TIMEOUT),
        ({"timeout": None}, 400, _BAD_TIMEOUT),
        ({"timeout": True}, 400, _BAD_TIMEOUT),
        ({"timeout": 90.5}, 400, _BAD_TIMEOUT),
    ],
)
def test_bad_listings(world: Any, changes: dict[str, Any], status: int, body: Any) -> None:
    refused = world.post(**changes)
    assert (refused.status, refused.json()) == (status, body)
    assert not world.network.jobs
    assert world.balance() == (50, 0, 0)


@pytest.mark.parametrize("timeout", [60, 360_000, "360000"])
def test_the_limits_of_timeouts_are_allowed(world: Any, timeout: Any) -> None:
    assert world.post(timeout=timeout).status == 200


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (b"", 422, _validation("/", "Expected object")),
        (b"[]", 422, _validation("/", "Expected object")),
        (b"{", 400, {"message": "Bad Request", "code": "PARSE"}),
        (b"\xff\xfe\xfd", 400, {"message": "Bad Request", "code": "PARSE"}),
        (b"[" * 100_000, 400, {"message": "Bad Request", "code": "PARSE"}),
    ],
)
def test_bodies_that_are_no_listing(world: Any, raw: bytes, status: int, body: Any) -> None:
    refused = world.call("POST", "/api/jobs/list", raw=raw)
    assert (refused.status, refused.json()) == (status, body)


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"null", b"[]", b'{"timeout":120}', b'{"extensionSeconds":1800}']
)
def test_extensions_without_seconds(world: Any, raw: bytes) -> None:
    refused = world.call("POST", f"/api/jobs/{world.job()}/extend", raw=raw)
    assert refused.json() == {"message": "Invalid request: 'seconds' must be a positive number"}


# Markets


def test_markets_can_be_filtered(world: Any) -> None:
    def slugs(query: str) -> list[str]:
        return [market["slug"] for market in world.call("GET", f"/api/markets/{query}").json()]

    everything = slugs("")
    assert everything[:2] == ["nvidia-4090-community", "nvidia-3060"]
    assert slugs("?type=COMMUNITY") == ["nvidia-4090-community"]
    assert slugs("?limit=2") == everything[:2]
    assert slugs("?filterKey=slug&filterValue=nvidia-a100") == ["nvidia-a100"]
    assert slugs("?limit=x") == everything


def test_market_prices_may_be_missing_or_odd(world: Any) -> None:
    prices = {
        market["slug"]: market.get("usd_reward_per_hour", "missing")
        for market in world.call("GET", "/api/markets/").json()
    }
    assert (prices["unpriced"], prices["mispriced"], prices["nvidia-a100"]) == ("missing", "N/A", 0.9)


def test_one_market_and_what_it_needs(world: Any) -> None:
    community = world.call("GET", "/api/markets/").json()[0]
    path = f"/api/markets/{community['address']}"
    assert world.call("GET", path).json() == community
    assert world.call("GET", f"{path}/required-resources").json() == {
        "required_images": ["docker.io/ollama/ollama:0.11.3"],
        "required_remote_resources": [{"type": "Ollama", "model": "llama3.1"}],
    }
    assert world.call("GET", "/api/markets/unknown/").status == 404


def test_markets_can_be_given(make_world: Callable[..., Any]) -> None:
    own = Market(market_document(PREMIUM_3060, "own", "Own", "GPU", usd_reward_per_hour=1), hosts=1)
    world = make_world(markets=[own])
    assert [market["slug"] for market in world.call("GET", "/api/markets/").json()] == ["own"]
    assert world.post(timeout=3600).json()["credits"]["costUSD"] == 1.1


@pytest.mark.parametrize("document", [{}, {"address": "short"}, {"address": 5}])
def test_a_market_needs_an_address(document: Any) -> None:
    with pytest.raises(ValueError, match="address"):
        Market(document)


# The simulator's own routes


def test_the_clock_is_told(make_world: Callable[..., Any]) -> None:
    world = make_world(options=Options(speed=60))
    assert world.wait(1.5).call("GET", "/simulator/clock").json() == {"now": world.origin + 1.5, "speed": 60}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"account": "nobody", "add": 1}, 404),
        ({"add": 1}, 404),
        ({"account": "account-1"}, 400),
        ({"account": "account-1", "add": "much"}, 400),
        (None, 400),
        ([], 400),
    ],
)
def test_bad_credits(world: Any, body: Any, status: int) -> None:
    reply = world.call("POST", "/simulator/credits", body)
    assert reply.status == status
    assert "nobody" not in reply.json()["message"]
    assert world.balance() == (50, 0, 0)


def test_header_names_are_of_any_case(world: Any) -> None:
    headers = {"AUTHORIZATION": f"bearer {world.key}"}
    assert world.call("GET", "/api/credits/balance", api_key=None, headers=headers).status == 200
