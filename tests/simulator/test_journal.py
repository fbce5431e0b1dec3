"""A network that is killed and started again from its journal is the network that it was."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from dispatcher.simulator.app import App
from dispatcher.simulator.journal import JournaledApp, JournalError, clock_of, open_journal
from dispatcher.simulator.messages import Call
from dispatcher.simulator.network import Network

MARKET = "7AtiXMSH6R1jjBxrcYjehCkkSF7zvYWte63gwEDBcGHq"
IDENTITY = {"seed": 3, "clock": "60@1800000000"}
HEADERS = {"Authorization": "Bearer nos_a", "Content-Type": "application/json"}
DEFINITION = {
    "version": "0.1",
    "type": "container",
    "meta": {"simulated": {"runs_for": "10m"}},
    "ops": [{"type": "container/run", "id": "a", "args": {"image": "ubuntu"}}],
}


class Clock:
    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


Opening = Callable[[Path, Clock], JournaledApp]


def make(clock: Callable[[], float]) -> Network:
    faults = [{"route": "jobs.get", "kind": "status", "status": 503, "probability": 0.5}]
    return Network(clock, 3, accounts={"nos_a": Decimal(10)}, ipfs_jwt="jwt", faults=faults)


@pytest.fixture
def opened() -> Iterator[Opening]:
    apps: list[JournaledApp] = []

    def opening(path: Path, clock: Clock) -> JournaledApp:
        apps.append(open_journal(path, clock, IDENTITY, make))
        return apps[-1]

    yield opening
    for app in apps:
        app.close()


def post(app: App, path: str, body: object, **headers: str) -> dict[str, object]:
    reply = app.handle(Call("POST", path, "", {**HEADERS, **headers}, json.dumps(body).encode()))
    answer: dict[str, object] = reply.json()
    return answer


def picture(app: App) -> object:
    return app.handle(Call("GET", "/simulator/ledger")).json()


def test_it_comes_back_as_it_was(tmp_path: Path, opened: Opening) -> None:
    clock, file = Clock(), tmp_path / "network.jsonl"
    app = opened(file, clock)
    pinned = post(app, "/pinning/pinJSONToIPFS", DEFINITION, Authorization="Bearer jwt")
    listed = post(app, "/api/jobs/list", {"ipfsHash": pinned["IpfsHash"], "market": MARKET, "timeout": 1200})
    for _ in range(20):
        clock.at += 11.7
        app.handle(Call("GET", f"/api/jobs/{listed['job']}", "", HEADERS))
    before = picture(app)

    again = opened(file, clock)
    assert picture(again) == before
    clock.at += 3600
    assert picture(again) == picture(app)
    assert again.network.job(str(listed["job"])) is not None
    assert clock_of(file) == "60@1800000000"


def test_a_line_torn_by_a_kill_is_cut_off_and_the_journal_goes_on(tmp_path: Path, opened: Opening) -> None:
    clock, file = Clock(), tmp_path / "network.jsonl"
    app = opened(file, clock)
    post(app, "/pinning/pinJSONToIPFS", DEFINITION, Authorization="Bearer jwt")
    before = picture(app)
    with file.open("a") as torn:
        torn.write('{"at": 18000')
    again = opened(file, clock)
    assert picture(again) == before
    post(again, "/pinning/pinJSONToIPFS", {"a": 1}, Authorization="Bearer jwt")
    assert picture(opened(file, clock)) == picture(again)


def test_a_journal_of_another_network_is_refused(tmp_path: Path, opened: Opening) -> None:
    file = tmp_path / "network.jsonl"
    opened(file, Clock())
    with pytest.raises(JournalError, match="other options"):
        open_journal(file, Clock(), {**IDENTITY, "seed": 4}, make)
    file.write_text(file.read_text() + "nonsense\n")
    with pytest.raises(JournalError, match="line 2"):
        open_journal(file, Clock(), IDENTITY, make)
