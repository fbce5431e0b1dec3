"""The network on a real socket."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dispatcher.simulator.fault_plan import FaultPlanError
from dispatcher.simulator.serve import BackgroundServer, load_plan

_SCRIPT = """
import json
from dispatcher.simulator.serve import ServerConfig, serve

config = ServerConfig(clock="60@1795298400", accounts={"nos_test_key_0001": "12.5"}, ipfs_jwt="test-jwt")
serve(config, lambda: 1795298400.0, lambda ready: print(json.dumps(ready), flush=True))
print("closed")
"""


@pytest.fixture
def server(world: Any) -> Iterator[BackgroundServer]:
    with BackgroundServer(world.network) as running:
        yield running


@pytest.fixture
def client(world: Any, server: BackgroundServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {world.key}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as made:
        yield made


def _order(client: httpx.Client, *rules: dict[str, Any]) -> None:
    client.post("/simulator/faults", json=list(rules)).raise_for_status()


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_closes_on_a_signal(name: signal.Signals) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT], cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        url = ready["api_url"]
        try:
            assert ready == {
                "api_url": url,
                "ipfs_api_url": url,
                "ipfs_gateway_url": f"{url}/ipfs/",
                "ipfs_jwt": "test-jwt",
                "accounts": [{"api_key": "nos_test_key_0001", "credits_usd": 12.5}],
                "clock": "60@1795298400",
            }
            headers = {"Authorization": "Bearer nos_test_key_0001"}
            with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
                assert client.get("/api/credits/balance").json()["assignedCredits"] == 12.5
                process.send_signal(name)  # while a connection is open
                assert process.wait(20) == 0
            assert process.stdout.read() == "closed\n"
        finally:
            process.kill()


def test_connections_are_kept_and_bodies_may_come_in_chunks(world: Any, server: BackgroundServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port))
    content = json.dumps(world.definition(runs_for=60)).encode()
    headers = {
        "Authorization": "Bearer test-jwt",
        "Content-Type": "application/json",
        "Transfer-Encoding": "chunked",
    }
    sockets = set()
    for _ in range(3):
        chunks = iter([content[:10], content[10:]])
        connection.request("POST", "/pinning/pinJSONToIPFS", chunks, headers, encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.version, answer.status) == (11, 200)
        assert json.loads(answer.read())["IpfsHash"] == world.pin(runs_for=60)
        sockets.add(connection.sock.getsockname())
    connection.close()
    assert len(sockets) == 1


def test_a_job_over_the_wire(world: Any, client: httpx.Client) -> None:
    jwt = {"Authorization": "Bearer test-jwt"}
    files = {"file": ("x.bin", b"\x00\r\n\xff--")}
    cid = client.post("/pinning/pinFileToIPFS", files=files, headers=jwt).json()["IpfsHash"]
    assert client.get(f"/ipfs/{cid}").content == b"\x00\r\n\xff--"
    body = {"ipfsHash": world.pin(queued_for=0, runs_for=60), "market": world.market}
    job = client.post("/api/jobs/list", json=body).json()["job"]
    assert client.post(f"/api/jobs/{job}/stop").json()["outcome"] == "ended"
    assert client.get("/api/markets/", params={"type": "COMMUNITY"}).json()[0]["type"] == "COMMUNITY"
    unknown = client.post("/api/jobs/%7Baddress%7D/extend", json={"seconds": 600})
    assert (unknown.status_code, unknown.json()) == (404, {"message": "Job not found"})


@pytest.mark.parametrize(("kind", "jobs"), [("lose_answer", 1), ("cut", 0)])
def test_a_cut_ends_the_connection_without_an_answer(
    world: Any, client: httpx.Client, kind: str, jobs: int
) -> None:
    body = {"ipfsHash": world.pin(), "market": world.market}
    _order(client, {"route": "jobs.list", "kind": kind, "times": 1})
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.post("/api/jobs/list", json=body)
    assert len(world.network.jobs) == jobs
    assert client.post("/api/jobs/list", json=body).status_code == 200


def test_a_slow_answer_outlasts_the_clients_patience(world: Any, client: httpx.Client) -> None:
    _order(client, {"route": "credits.balance", "kind": "slow", "seconds": 0.3, "times": 2})
    with pytest.raises(httpx.ReadTimeout):
        client.get("/api/credits/balance", timeout=0.05)
    assert client.get("/api/credits/balance", timeout=30).status_code == 200


def test_headers_and_empty_bodies_arrive(client: httpx.Client) -> None:
    _order(
        client,
        {"route": "credits.balance", "kind": "rate_limit", "retry_after": 7},
        {"route": "markets.list", "kind": "status", "status": 500, "body": ""},
    )
    limited, empty = client.get("/api/credits/balance"), client.get("/api/markets/")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert (empty.status_code, empty.headers["content-length"], empty.content) == (500, "0", b"")


def test_a_taken_port_is_an_error(make_world: Callable[..., Any], server: BackgroundServer) -> None:
    taken = int(server.url.rpartition(":")[2])
    other = BackgroundServer(make_world().network, taken)
    with pytest.raises(OSError, match="address already in use"), other:
        pass


def test_a_plan_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('[{"route": "*", "kind": "cut"}]')
    assert load_plan(path) == [{"route": "*", "kind": "cut"}]
    path.write_text("[")
    with pytest.raises(FaultPlanError, match=r"plan\.json is not JSON"):
        load_plan(path)
