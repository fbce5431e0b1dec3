"""A simulated network on a clock that moves only when a test moves it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.simulator.app import App
from dispatcher.simulator.markets import PREMIUM_3060
from dispatcher.simulator.messages import Call, Reply
from dispatcher.simulator.network import Network

ORIGIN = 1_795_298_400.0
KEY = "nos_test_key_0001"
OTHER = "nos_test_key_0002"
JWT = "test-jwt"


class World:
    """A network, its clock, and calls as a client would make them."""

    market = PREMIUM_3060
    key = KEY
    other = OTHER

    def __init__(self, **settings: Any) -> None:
        self.now = settings.pop("now", ORIGIN)
        self.origin = self.now
        settings.setdefault("accounts", {KEY: 50, OTHER: 50})
        self.network = Network(lambda: self.now, ipfs_jwt=JWT, **settings)
        self.app = App(self.network)

    def wait(self, seconds: float) -> "World":
        self.now += seconds
        return self

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        api_key: str | None = KEY,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """`key` is the idempotency key."""
        sent = dict(headers or {})
        if api_key is not None:
            sent.setdefault("Authorization", f"Bearer {api_key}")
        if key is not None:
            sent["Idempotency-Key"] = key
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        return self.app.handle(Call(method, path, query, sent, content))

    def definition(self, **simulated: Any) -> dict[str, Any]:
        meta = {"trigger": "cli", **simulated.pop("meta", {}), "simulated": simulated}
        ops = [{"type": "container/run", "id": "main", "args": {"image": "ubuntu", "cmd": "x"}}]
        return {"version": "0.1", "type": "container", "meta": meta, "ops": ops}

    def pin(self, document: Any = None, **simulated: Any) -> str:
        """Pins a document, or a definition that behaves as told."""
        content = self.definition(**simulated) if document is None else document
        reply = self.call("POST", "/pinning/pinJSONToIPFS", content, api_key=JWT)
        assert reply.status == 200, reply.body
        cid: str = reply.json()["IpfsHash"]
        return cid

    def post(self, cid: str | None = None, *, key: str | None = None, **fields: Any) -> Reply:
        """`jobs.list`."""
        api_key = fields.pop("api_key", KEY)
        body = {"ipfsHash": cid or self.pin(), "market": self.market, "timeout": 1800, **fields}
        return self.call("POST", "/api/jobs/list", body, key=key, api_key=api_key)

    def job(self, cid: str | None = None, **fields: Any) -> str:
        """Lists a job; its address."""
        reply = self.post(cid, **fields)
        assert reply.status == 200, reply.body
        address: str = reply.json()["job"]
        return address

    def extend(self, job: str, seconds: Any = 600, **how: Any) -> Reply:
        return self.call("POST", f"/api/jobs/{job}/extend", {"seconds": seconds}, **how)

    def stop(self, job: str, **how: Any) -> Reply:
        return self.call("POST", f"/api/jobs/{job}/stop", **how)

    def get(self, job: str) -> Any:
        reply = self.call("GET", f"/api/jobs/{job}")
        assert reply.status == 200, reply.body
        return reply.json()

    def result(self, job: str) -> Any:
        reply = self.call("GET", f"/ipfs/{self.get(job)['ipfsResult']}", api_key=None)
        assert reply.status == 200, reply.body
        return reply.json()

    def balance(self, api_key: str = KEY) -> tuple[float, float, float]:
        """Assigned, reserved, settled."""
        found = self.call("GET", "/api/credits/balance", api_key=api_key).json()
        return found["assignedCredits"], found["reservedCredits"], found["settledCredits"]

    def ledger(self) -> Any:
        return self.call("GET", "/simulator/ledger").json()


@pytest.fixture
def make_world() -> Callable[..., World]:
    return World


@pytest.fixture
def world() -> World:
    return World()
