"""The bytes that go out: those of the published kit, plus the idempotency key."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from dispatcher.domain.errors import ProviderError
from dispatcher.domain.ids import RemoteAddress
from dispatcher.providers.nosana import Timeouts
from tests.providers.operations import ALL, KEY, KEYED, Call, post_to_node
from tests.providers.recorded import exchange
from tests.providers.stand_in import (
    ADDRESS,
    API_KEY,
    CID,
    DOCUMENT,
    JWT,
    MARKET,
    NODE,
    StandIn,
    good,
    provider,
)

_API, _PIN, _NOBODY = f"Bearer {API_KEY}", f"Bearer {JWT}", None


@dataclass(frozen=True)
class Case:
    """One call, how the kit was recorded at it, and the request in short."""

    call: Call
    recording: tuple[str, str]
    line: str
    body: bytes | None
    bearer: str | None = _API

    def __str__(self) -> str:
        return " ".join(self.recording)


CASES = [
    Case(ALL["balance"], ("credits.balance", "api.credits.balance()"), "GET /api/credits/balance", None),
    Case(ALL["markets"], ("markets.list", "api.markets.list()"), "GET /api/markets/", None),
    Case(ALL["market"], ("markets.get", "api.markets.get(address)"), f"GET /api/markets/{MARKET}/", None),
    Case(
        ALL["required_resources"],
        ("markets.getRequiredResources", "api.markets.getRequiredResources(address)"),
        f"GET /api/markets/{MARKET}/required-resources",
        None,
    ),
    Case(
        ALL["pin"],
        ("ipfs.pin", "ipfs.pin(definition)"),
        "POST /pinning/pinJSONToIPFS",
        DOCUMENT,
        bearer=_PIN,
    ),
    # The kit sends the pinning token to the gateway as well; we do not.
    Case(ALL["result"], ("ipfs.retrieve", "ipfs.retrieve(cid)"), f"GET /ipfs/{CID}", None, bearer=_NOBODY),
    Case(
        ALL["post"],
        ("jobs.list", "api.jobs.list({ipfsHash, market, timeout: 1800})"),
        "POST /api/jobs/list",
        f'{{"ipfsHash":"{CID}","market":"{MARKET}","timeout":1800}}'.encode(),
    ),
    Case(
        post_to_node,
        ("jobs.list", "api.jobs.list({ipfsHash, market, timeout: 1800, node})"),
        "POST /api/jobs/list",
        f'{{"ipfsHash":"{CID}","market":"{MARKET}","timeout":1800,"node":"{NODE}"}}'.encode(),
    ),
    Case(ALL["get"], ("jobs.get", "api.jobs.get(job) (queued)"), f"GET /api/jobs/{ADDRESS}", None),
    Case(
        ALL["extend"],
        ("jobs.extend", "api.jobs.extend({address, seconds: 600})"),
        f"POST /api/jobs/{ADDRESS}/extend",
        b'{"seconds":600}',
    ),
    Case(ALL["stop"], ("jobs.stop", "api.jobs.stop(address)"), f"POST /api/jobs/{ADDRESS}/stop", None),
]


def _sent(call: Call, answer: Any = None, **changes: Any) -> httpx.Request:
    """The one request that `call` makes."""
    network = StandIn(good(answer))
    try:
        call(provider(network, **changes))
    except ProviderError:
        assert answer is None, "the recorded answer could not be read"
    (request,) = network.requests
    return request


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_is_what_the_api_expects(case: Case) -> None:
    request = _sent(case.call)
    headers = request.headers
    assert f"{request.method} {request.url.raw_path.decode()}" == case.line
    assert request.content == (case.body or b"")
    assert headers.get("authorization") == case.bearer
    assert headers.get("content-type") == ("application/json" if case.body is not None else None)
    written = str(len(case.body or b"")) if request.method == "POST" else None
    assert headers.get("content-length") == written
    assert headers["accept"] == "*/*"
    assert headers["accept-encoding"] == "gzip, deflate"
    assert headers["user-agent"].startswith("dispatcher/")
    assert "transfer-encoding" not in headers
    assert "cookie" not in headers


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_equals_the_recorded_one(case: Case) -> None:
    entry = exchange(*case.recording)
    recording = entry["request"]
    answer = None if case.recording[0] == "ipfs.retrieve" else entry["response"]["body"]
    request = _sent(case.call, answer)
    assert request.method == recording["method"]
    assert request.url.raw_path.decode() == recording["path"]
    body = recording["body"]
    written = b"" if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    assert request.content == written
    compared = ["content-type", "content-length", "accept"]
    compared += [] if case.recording[0] == "ipfs.retrieve" else ["authorization"]
    for name in compared:
        assert request.headers.get(name) == recording["headers"].get(name), name


@pytest.mark.parametrize("name", ALL)
def test_writes_carry_their_key_and_nothing_else_does(name: str) -> None:
    request = _sent(ALL[name])
    assert request.headers.get("idempotency-key") == (KEY if name in KEYED else None)


@pytest.mark.parametrize("name", ["balance", "post", "pin", "result"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_slash_at_the_end_of_a_setting_does_not_matter(name: str, slash: str) -> None:
    request = _sent(
        ALL[name],
        api_url="https://api.test" + slash,
        ipfs_api_url="https://pin.test" + slash,
        ipfs_gateway_url="https://gateway.test/ipfs" + slash,
    )
    assert (
        str(request.url)
        == {
            "balance": "https://api.test/api/credits/balance",
            "post": "https://api.test/api/jobs/list",
            "pin": "https://pin.test/pinning/pinJSONToIPFS",
            "result": f"https://gateway.test/ipfs/{CID}",
        }[name]
    )


def test_a_path_in_a_setting_is_kept() -> None:
    request = _sent(ALL["balance"], api_url="https://proxy.test/nosana/")
    assert str(request.url) == "https://proxy.test/nosana/api/credits/balance"


def test_the_token_goes_to_the_gateway_only_if_asked_for() -> None:
    assert "authorization" not in _sent(ALL["result"]).headers
    assert _sent(ALL["result"], jwt_to_gateway=True).headers["authorization"] == f"Bearer {JWT}"


def test_no_part_of_a_name_can_lead_to_another_path() -> None:
    request = _sent(lambda p: p.get(RemoteAddress("../credits/balance?x=1#y")))
    assert request.url.raw_path == b"/api/jobs/..%2Fcredits%2Fbalance%3Fx%3D1%23y"


def test_a_market_that_is_no_address_is_looked_up_in_the_list() -> None:
    assert _sent(lambda p: p.market("nvidia-3060")).url.path == "/api/markets/"


def test_every_step_of_a_call_has_its_time() -> None:
    timeouts = Timeouts(connect=1.0, read=2.0, write=3.0, pool=4.0)
    assert _sent(ALL["post"], timeouts=timeouts).extensions["timeout"] == {
        "connect": 1.0,
        "read": 2.0,
        "write": 3.0,
        "pool": 4.0,
    }
    assert all(value and value > 0 for value in _sent(ALL["post"]).extensions["timeout"].values())
