"""The network behind an httpx client, without sockets."""

from typing import Any

import httpx
import pytest

from dispatcher.simulator.transport import SimulatedTransport


def _client(world: Any, **how: Any) -> httpx.Client:
    transport = SimulatedTransport(world.network, how.pop("waited", None))
    headers = {"Authorization": f"Bearer {world.key}"}
    return httpx.Client(transport=transport, base_url="http://simulated", headers=headers, **how)


def _order(world: Any, *rules: dict[str, Any]) -> None:
    world.call("POST", "/simulator/faults", list(rules))


def test_a_job_from_pinning_to_its_end(world: Any) -> None:
    with _client(world) as client:
        jwt = {"Authorization": "Bearer test-jwt"}
        pinned = client.post("/pinning/pinJSONToIPFS", json=world.definition(runs_for=60), headers=jwt)
        body = {"ipfsHash": pinned.json()["IpfsHash"], "market": world.market}
        listed = client.post("/api/jobs/list", json=body, headers={"idempotency-key": "k"}).raise_for_status()
        again = client.post("/api/jobs/list", json=body, headers={"idempotency-key": "k"})
        assert again.content == listed.content
        world.wait(3600)
        assert client.get(f"/api/jobs/{listed.json()['job']}").json()["jobStatus"] == "success"
        markets = client.get("/api/markets/", params={"limit": 1})
        assert (markets.headers["content-type"], len(markets.json())) == (
            "application/json; charset=utf-8",
            1,
        )


@pytest.mark.parametrize(("kind", "jobs"), [("lose_answer", 1), ("cut", 0)])
def test_a_cut_is_a_read_error(world: Any, kind: str, jobs: int) -> None:
    body = {"ipfsHash": world.pin(), "market": world.market}
    _order(world, {"route": "jobs.list", "kind": kind})
    with _client(world) as client, pytest.raises(httpx.ReadError):
        client.post("/api/jobs/list", json=body)
    assert len(world.network.jobs) == jobs


def test_an_answer_later_than_the_clients_patience_is_a_timeout_after_the_work(world: Any) -> None:
    body = {"ipfsHash": world.pin(), "market": world.market}
    _order(world, {"route": "jobs.list", "kind": "slow", "seconds": 8})
    waited: list[float] = []
    with _client(world, timeout=5, waited=waited.append) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/api/jobs/list", json=body)
        client.post("/api/jobs/list", json=body, timeout=8).raise_for_status()
        client.post("/api/jobs/list", json=body, timeout=None).raise_for_status()
    assert len(world.network.jobs) == 3
    assert waited == [5, 8, 8]


def test_a_cut_that_comes_too_late_is_a_timeout_too(world: Any) -> None:
    _order(world, {"route": "*", "kind": "cut", "seconds": 8})
    with _client(world, timeout=5) as client, pytest.raises(httpx.ReadTimeout):
        client.get("/api/credits/balance")


def test_a_client_can_move_the_clock_by_its_waiting(world: Any) -> None:
    _order(world, {"route": "credits.balance", "kind": "slow", "seconds": 2})
    with _client(world, waited=world.wait) as client:
        client.get("/api/credits/balance")
    assert world.now == world.origin + 2


def test_every_call_takes_its_latency_and_the_network_sees_it_half_way(world: Any) -> None:
    transport = SimulatedTransport(world.network, world.wait, latency=5.0)
    headers = {"Authorization": f"Bearer {world.key}"}
    body = {"ipfsHash": world.pin(), "market": world.market}
    with httpx.Client(transport=transport, base_url="http://simulated", headers=headers, timeout=8) as client:
        listed = client.post("/api/jobs/list", json=body).json()["job"]
        assert world.now == world.origin + 5
        assert world.network.jobs[listed].listed_at == world.origin + 2.5
        _order(world, {"route": "jobs.list", "kind": "slow", "seconds": 4})
        with pytest.raises(httpx.ReadTimeout):
            client.post("/api/jobs/list", json=body)
        assert world.now == world.origin + 13
