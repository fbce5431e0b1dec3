"""The same seed, calls and times give the same answers; and many jobs are no burden."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dispatcher.simulator.transport import SimulatedTransport


def _answers(world: Any) -> list[tuple[int, bytes]]:
    replies = []
    cid = world.pin(runs_for="10m")
    for number in range(30):
        replies.append(world.post(cid, key=f"k{number}"))
        world.wait(37.5)
        if replies[-1].status == 200 and not replies[-1].cut:
            job = replies[-1].json()["job"]
            replies += [world.extend(job), world.call("GET", f"/api/jobs/{job}")]
    replies.append(world.call("GET", "/simulator/ledger"))
    return [(reply.status, reply.body) for reply in replies]


_PLAN = [
    {"route": "jobs.list", "kind": "lose_answer", "probability": 0.2},
    {"route": "jobs.*", "kind": "status", "status": 503, "probability": 0.2},
    {"route": "jobs.list", "kind": "host_quits", "probability": 0.3},
]


def test_the_same_seed_gives_the_same_answers(make_world: Callable[..., Any]) -> None:
    one, same, other = (_answers(make_world(seed=seed, faults=_PLAN)) for seed in (7, 7, 8))
    assert one == same
    assert one != other


def test_many_jobs_run_through_with_their_books_straight(make_world: Callable[..., Any]) -> None:
    """4,000 jobs in front of 500 hosts, each looked at once."""
    world = make_world(hosts=500, accounts={"nos_test_key_0001": 10_000})
    cid = world.pin(queued_for=1, runs_for=60)
    jobs = []
    for _ in range(4_000):
        jobs.append(world.job(cid))
        world.wait(0.1)
    world.wait(10_000)
    assert {world.get(job)["state"] for job in jobs} == {2}
    account = world.network.accounts.find("account-1")
    assert (account.reserved, account.settled) == (0, 4_000)


def test_threads_may_share_a_network(world: Any) -> None:
    import httpx

    body = {"ipfsHash": world.pin(), "market": world.market}
    headers = {"Authorization": f"Bearer {world.key}"}

    def post(number: int) -> str:
        with httpx.Client(transport=SimulatedTransport(world.network), base_url="http://simulated") as client:
            sent = {**headers, "Idempotency-Key": f"k{number % 50}"}
            answer: str = client.post("/api/jobs/list", json=body, headers=sent).json()["job"]
            return answer

    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(post, range(200)))
    assert len(set(jobs)) == len(world.network.jobs) == 50
