"""A network that answers what it is told and remembers what it was asked."""

import json
from collections.abc import Callable
from typing import Any

import httpx
from pydantic import SecretStr

from dispatcher.domain.ids import AccountName, ProjectAddress
from dispatcher.providers.nosana import NosanaProvider

API_KEY = "nos_test_key"
JWT = "test-jwt"

ADDRESS = "GWECtAsFvcBZw79Y5uHUpdGxy6LNEQtmFvzZNW9xd8oq"
MARKET = "7AtiXMSH6R1jjBxrcYjehCkkSF7zvYWte63gwEDBcGHq"
NODE = "7XkMcd1AYjCJU7SjrpGmGWHshfr9iVTiw88u6CThYEpL"
CID = "QmdxvWSFaaWYzEc9facw5WZixutER24mi1VKrtvtcugGWT"
DOCUMENT = (
    b'{"version":"0.1","type":"container","meta":{"trigger":"cli"},"ops":[{"type":"container/run",'
    b'"id":"hello-world","args":{"cmd":"echo hello","image":"ubuntu"}}]}'
)

Reply = httpx.Response | Exception


class StandIn(httpx.BaseTransport):
    """Answers with `replies` in turn, the last one for ever; keeps every request, its body read."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []
        self.closed = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        reply = self.replies[min(len(self.requests), len(self.replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        # A response can be read once; the last reply may be given again.
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    def close(self) -> None:
        self.closed += 1


def good(value: Any) -> httpx.Response:
    """200 with JSON."""
    return httpx.Response(200, headers={"content-type": "application/json"}, content=json.dumps(value))


def raw(status: int, body: bytes | str = b"", **headers: str) -> httpx.Response:
    """Any answer; underscores in header names stand for dashes."""
    return httpx.Response(
        status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        content=body.encode() if isinstance(body, str) else body,
    )


def provider(transport: httpx.BaseTransport | None, **changes: Any) -> NosanaProvider:
    """The account that the recorded exchanges were made with."""
    settings: dict[str, Any] = {
        "name": AccountName("default"),
        "api_key": SecretStr(API_KEY),
        "api_url": "https://api.test",
        "ipfs_api_url": "https://pin.test",
        "ipfs_gateway_url": "https://gateway.test/ipfs/",
        "ipfs_jwt": SecretStr(JWT),
        "transport": transport,
        "project": ProjectAddress(NODE),
        **changes,
    }
    return NosanaProvider(**settings)


def asked(call: Callable[[NosanaProvider], Any], *replies: Reply, **changes: Any) -> Any:
    """What `call` brings when the network answers with `replies`."""
    return call(provider(StandIn(*replies), **changes))
