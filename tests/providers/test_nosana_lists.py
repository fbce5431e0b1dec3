"""The list of an account's jobs: what is asked, and that no job in it is guessed or left out."""

from typing import Any

import httpx
import pytest

from dispatcher.domain.errors import MalformedAnswer, SettingsError
from dispatcher.domain.ids import MarketAddress, ProjectAddress, RemoteAddress
from dispatcher.domain.words import Phase
from dispatcher.ports.provider import ListedJob
from tests.providers.operations import ALL
from tests.providers.records import MISSING, changed, listed_record
from tests.providers.stand_in import ADDRESS, API_KEY, CID, MARKET, NODE, StandIn, asked, good, provider

EMPTY = {"jobs": [], "totalJobs": 0}


def _sent(**query: Any) -> httpx.Request:
    network = StandIn(good(EMPTY))
    provider(network).list_jobs(**query)
    (request,) = network.requests
    return request


@pytest.mark.parametrize(
    ("given", "query"),
    [
        ({}, "limit=50&offset=0"),
        ({"phase": Phase.QUEUED}, "state=QUEUED&limit=50&offset=0"),
        ({"phase": Phase.RUNNING}, "state=RUNNING&limit=50&offset=0"),
        ({"phase": Phase.DONE}, "state=COMPLETED&limit=50&offset=0"),
        ({"phase": Phase.HOST_QUIT}, "state=STOPPED&limit=50&offset=0"),
        ({"market": MarketAddress(MARKET), "limit": 1, "offset": 7}, f"market={MARKET}&limit=1&offset=7"),
    ],
    ids=str,
)
def test_what_is_asked(given: dict[str, Any], query: str) -> None:
    request = _sent(**given)
    assert request.method == "GET"
    assert request.url.raw_path.decode() == f"/api/jobs/?poster={NODE}&{query}"
    assert request.headers["authorization"] == f"Bearer {API_KEY}"
    assert request.content == b""


def test_a_job_in_the_list() -> None:
    queued = listed_record(state=0, timeStart=0, listedAt=None, node="1" * 32)
    found = asked(ALL["list_jobs"], good({"jobs": [listed_record(), queued], "totalJobs": 2}))
    running = ListedJob(
        address=RemoteAddress(ADDRESS),
        cid=CID,  # type: ignore[arg-type]
        market=MarketAddress(MARKET),
        phase=Phase.RUNNING,
        listed_at=1795298400.0,
        timeout=1800,
        started_at=1795298401.0,
        ended_at=None,
    )
    assert found[0] == running
    assert (found[1].phase, found[1].started_at, found[1].listed_at) == (Phase.QUEUED, None, None)


@pytest.mark.parametrize("change", [{"listedAt": MISSING}, {"ipfsJob": None}, {"market": None}], ids=str)
def test_what_a_job_in_the_list_can_do_without(change: dict[str, Any]) -> None:
    (found,) = asked(ALL["list_jobs"], good({"jobs": [listed_record(**change)]}))
    assert None in (found.listed_at, found.cid, found.market)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"jobs": None},
        {"jobs": [None]},
        *(
            {"jobs": [listed_record(), listed_record(**change)]}
            for change in [
                {"address": MISSING},
                {"address": "GWEC"},
                {"state": MISSING},
                {"state": 4},
                {"timeout": MISSING},
                {"timeStart": MISSING},
                {"timeStart": 1795298401000},
                {"timeEnd": "0"},
            ]
        ),
    ],
    ids=lambda answer: str(answer)[:60] if not isinstance(answer, dict) or len(str(answer)) < 60 else "",
)
def test_a_list_with_one_job_that_cannot_be_read_is_no_list(answer: Any) -> None:
    """The one that cannot be read may be the one that is looked for."""
    with pytest.raises(MalformedAnswer):
        asked(ALL["list_jobs"], good(answer))


def test_without_a_project_nothing_is_asked() -> None:
    network = StandIn(good(EMPTY))
    unknown = provider(network, project=None)
    assert not unknown.capabilities.finds
    with pytest.raises(SettingsError, match="DISPATCHER_NOSANA_PROJECT"):
        unknown.list_jobs()
    assert network.requests == []
    unknown.learn_project(ProjectAddress(NODE))
    assert unknown.capabilities.finds
    assert unknown.list_jobs() == ()


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": 51}, {"offset": -1}, {"phase": Phase.GONE}], ids=str
)
def test_a_page_that_there_is_not(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"page|gone"):
        provider(StandIn(good(EMPTY))).list_jobs(**wrong)


@pytest.mark.parametrize("project", [NODE, MISSING, None, "me"])
def test_answers_say_whose_jobs_they_are(project: Any) -> None:
    expected = NODE if project == NODE else None
    posted = {"job": ADDRESS, "credits": changed({"costUSD": 0, "project": project})}
    assert asked(ALL["post"], good(posted)).project == expected
    assert asked(ALL["get"], good(listed_record(project=project))).project == expected


@pytest.mark.parametrize("keys", [True, False])
def test_an_account_says_whether_its_network_knows_keys(keys: bool) -> None:
    network = StandIn(good({"job": ADDRESS, "credits": {"costUSD": 0}}))
    account = provider(network, idempotency_keys=keys)
    assert account.capabilities.idempotency_keys is keys
    ALL["post"](account)
    assert "idempotency-key" in network.requests[0].headers  # harmless where it is ignored
