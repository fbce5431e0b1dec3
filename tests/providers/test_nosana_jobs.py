"""What good answers about jobs are read as, and that nothing in them is guessed."""

import json
from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.cid import NULL_CID
from dispatcher.domain.definition.stamp import Stamp
from dispatcher.domain.errors import MalformedAnswer, Verdict
from dispatcher.domain.ids import ProjectAddress, RemoteAddress
from dispatcher.domain.words import Phase
from dispatcher.ports.provider import ExtendedJob, PostedJob
from tests.providers.operations import ALL, KEYED
from tests.providers.records import CREDITS, MISSING, changed, job_record
from tests.providers.stand_in import ADDRESS, CID, DOCUMENT, MARKET, NODE, asked, good, raw

RUN = "HeQY62GPscQtPaNfigWsgFTEPjCUYuG8NNPQ27kTnfAD"

# --- post, extend, stop


def test_a_posted_job() -> None:
    found = asked(ALL["post"], good({"tx": "2jbw", "job": ADDRESS, "run": RUN, "credits": CREDITS, "new": 1}))
    expected = PostedJob(
        RemoteAddress(ADDRESS), RUN, Decimal("0.024"), "09ded125", "2jbw", ProjectAddress(NODE)
    )
    assert found == expected


def test_what_a_posted_job_can_do_without() -> None:
    found = asked(ALL["post"], good({"job": ADDRESS, "credits": {"costUSD": 0}}))
    assert found == PostedJob(RemoteAddress(ADDRESS), None, Decimal(0), None, None)


@pytest.mark.parametrize(
    "change",
    [
        {"job": MISSING},
        {"job": None},
        {"job": "GWEC"},
        {"job": ADDRESS + "\n"},
        {"job": "1" * 31 + "2\n"},
        {"job": "1" * 33},
        {"job": "z" * 44},
        {"credits": MISSING},
        {"credits": None},
        {"credits": {}},
        {"credits": {"costUSD": "0.024"}},
        {"credits": {"costUSD": True}},
        {"credits": {"costUSD": -1}},
    ],
    ids=str,
)
def test_a_post_that_lacks_what_is_needed_is_undecided(change: dict[str, Any]) -> None:
    answer = {"tx": "2jbw", "job": ADDRESS, "run": RUN, "credits": CREDITS}
    with pytest.raises(MalformedAnswer) as caught:
        asked(ALL["post"], good(changed(answer, **change)))
    assert caught.value.verdict is Verdict.SAME_KEY
    assert caught.value.status == 200


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {"tx": "26Po", "job": ADDRESS, "credits": CREDITS},
            ExtendedJob(Decimal("0.024"), True, "09ded125", "26Po"),
        ),
        (
            {"tx": None, "job": ADDRESS, "credits": CREDITS},
            ExtendedJob(Decimal("0.024"), True, "09ded125", None),
        ),
        ({"tx": None, "job": ADDRESS}, ExtendedJob(Decimal(0), False)),
        ({"tx": None, "credits": None}, ExtendedJob(Decimal(0), False)),
    ],
)
def test_an_extension(answer: dict[str, Any], expected: ExtendedJob) -> None:
    assert asked(ALL["extend"], good(answer)) == expected


@pytest.mark.parametrize(
    "answer", [{}, {"job": ADDRESS}, {"tx": "26Po"}, {"tx": None, "credits": {}}, {"tx": None, "credits": []}]
)
def test_an_extension_that_does_not_say_what_happened_is_undecided(answer: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswer):
        asked(ALL["extend"], good(answer))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"tx": "3Ko9", "delisted": True}, "delisted"),
        ({"tx": "3Ko9", "delisted": False}, "ended"),
        ({"tx": "3Ko9", "delisted": False, "outcome": None}, "ended"),
        ({"tx": "3Ko9", "delisted": True, "outcome": "delisted"}, "delisted"),
        ({"tx": "3Ko9", "delisted": False, "outcome": "ended"}, "ended"),
        ({"tx": None, "delisted": False, "outcome": "already_terminal"}, "already_terminal"),
        ({"outcome": "ended"}, "ended"),
    ],
)
def test_a_stop(answer: dict[str, Any], expected: str) -> None:
    found = asked(ALL["stop"], good(answer))
    assert (found.outcome, found.tx) == (expected, answer.get("tx"))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"tx": "3Ko9"},
        {"delisted": "true"},
        {"delisted": 1},
        {"delisted": True, "outcome": "vaporised"},
        {"outcome": 1},
    ],
)
def test_a_stop_that_does_not_say_what_happened_is_undecided(answer: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswer):
        asked(ALL["stop"], good(answer))


@pytest.mark.parametrize("name", KEYED)
@pytest.mark.parametrize(
    "body", [b"", b"  ", b"null", b"hello", b'"done"', b"[]", b"\xff{}", b"[" * 100_000, b'{"tx":']
)
def test_a_write_without_a_readable_answer_is_undecided(name: str, body: bytes) -> None:
    with pytest.raises(MalformedAnswer) as caught:
        asked(ALL[name], raw(200, body))
    assert caught.value.verdict is Verdict.SAME_KEY


# --- the job record


def test_a_job_that_runs() -> None:
    found = asked(ALL["get"], good(job_record()))
    assert (found.phase, found.timeout, found.started_at, found.ended_at) == (
        Phase.RUNNING,
        1800,
        1795298401.0,
        None,
    )
    assert (found.node, found.market, found.cid) == (NODE, MARKET, CID)
    assert (found.usd_per_hour, found.status, found.result_cid) == (Decimal("0.0436"), None, None)


@pytest.mark.parametrize(
    ("state", "phase"), [(0, Phase.QUEUED), (1, Phase.RUNNING), (2, Phase.DONE), (3, Phase.HOST_QUIT)]
)
def test_states_are_numbers(state: int, phase: Phase) -> None:
    assert asked(ALL["get"], good(job_record(state=state))).phase is phase


@pytest.mark.parametrize(
    "change",
    [{"state": wrong} for wrong in (MISSING, None, 4, -1, True, "1", "RUNNING", 1.5)]
    + [{"timeout": wrong} for wrong in (MISSING, None, "1800", True, -1, 0.5)]
    + [{"timeStart": wrong} for wrong in (MISSING, "0", True, -1, 1795298401000)]
    + [{"timeEnd": wrong} for wrong in (MISSING, "0", False, 1795298401000)],
    ids=str,
)
def test_a_record_that_lacks_what_is_needed_is_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswer):
        asked(ALL["get"], good(job_record(**change)))


def test_a_job_that_is_over_has_its_times_in_seconds() -> None:
    """The result inside the record counts in milliseconds: it decides nothing here."""
    result = {"status": "success", "startTime": 1795298401123, "endTime": 1795299000456, "opStates": []}
    found = asked(ALL["get"], good(job_record(state=2, timeEnd=1795299000, jobResult=result)))
    assert (found.started_at, found.ended_at) == (1795298401.0, 1795299000.0)


def test_what_is_not_set_yet_is_none() -> None:
    unset = job_record(
        state=0, node="1" * 32, timeStart=0, timeEnd=None, usdRewardPerHour=None, ipfsJob=None, market=1
    )
    found = asked(ALL["get"], good(unset))
    assert (found.node, found.started_at, found.ended_at, found.usd_per_hour) == (None, None, None, None)
    assert (found.cid, found.market) == (None, None)


@pytest.mark.parametrize("price", [MISSING, None, "0.0436", True, 0, -1])
def test_a_price_in_the_record_that_cannot_be_used_is_none(price: Any) -> None:
    assert asked(ALL["get"], good(job_record(usdRewardPerHour=price))).usd_per_hour is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (CID, CID),
        (MISSING, None),
        (None, None),
        (NULL_CID, None),
        (CID[:-1], None),
        ("0" * 46, None),
        (7, None),
    ],
)
def test_a_result_is_there_or_not(value: Any, expected: str | None) -> None:
    assert asked(ALL["get"], good(job_record(state=2, ipfsResult=value))).result_cid == expected


@pytest.mark.parametrize(
    ("status", "result", "expected"),
    [
        ("failed", None, "failed"),
        ("failed", {"status": "success"}, "failed"),
        (None, {"status": "success"}, "success"),
        (MISSING, '{"status":"stopped","opStates":[]}', "stopped"),
        (None, '{"status":', None),
        (None, "null", None),
        (None, {"status": 1}, None),
        ("", MISSING, None),
    ],
)
def test_the_hosts_word_as_an_object_or_as_text(status: Any, result: Any, expected: str | None) -> None:
    definition = DOCUMENT.decode()
    found = asked(ALL["get"], good(job_record(jobStatus=status, jobResult=result, jobDefinition=definition)))
    assert found.status == expected


STAMPED = {"version": "0.1", "meta": {"trigger": "cli", "dispatch_id": "job_17", "dispatch_attempt": 2}}


@pytest.mark.parametrize(
    ("definition", "stamp", "defined"),
    [
        (STAMPED, Stamp("job_17", 2), True),
        (json.dumps(STAMPED), Stamp("job_17", 2), True),
        ({"meta": {**STAMPED["meta"], "dispatch_attempt": 2.0}}, Stamp("job_17", 2), True),  # type: ignore[dict-item]
        ({"meta": {"dispatch_id": "job_17", "dispatch_attempt": 2.5}}, None, True),
        ({"meta": {"dispatch_id": "job_17"}}, None, True),
        ({"version": "0.1"}, None, True),
        (MISSING, None, False),
        (None, None, False),
        ("not JSON", None, False),
        ("[]", None, False),
        ([STAMPED], None, False),
    ],
)
def test_the_stamp_in_the_definition_where_that_is_shown(
    definition: Any, stamp: Stamp | None, defined: bool
) -> None:
    found = asked(ALL["get"], good(job_record(jobDefinition=definition)))
    assert (found.stamp, found.defined) == (stamp, defined)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1795298400, 1795298400.0), (MISSING, None), (None, None), (0, None), ("x", None), (10**12, None)],
)
def test_when_it_was_listed_where_the_index_knows(value: Any, expected: float | None) -> None:
    assert asked(ALL["get"], good(job_record(listedAt=value))).listed_at == expected
