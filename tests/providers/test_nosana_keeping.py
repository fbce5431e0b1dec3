"""What is kept of a result document: bounded whatever it holds, the ends of its logs, none of its secrets."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.providers.nosana.keeping import kept
from tests.providers.operations import ALL
from tests.providers.stand_in import API_KEY, asked, good, raw

LEAST = 16_384


def operation(*texts: str, **more: Any) -> dict[str, Any]:
    logs = [{"type": "stdout", "log": text, "timestamp": str(at)} for at, text in enumerate(texts)]
    return {"operationId": "a", "status": "success", "exitCode": 0, "logs": logs, **more}


def flow(*operations: Any, **more: Any) -> dict[str, Any]:
    return {"status": "success", "startTime": 1, "endTime": 2, "opStates": list(operations), **more}


def size(document: object) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def test_a_document_that_fits_stays_as_it_is() -> None:
    document = flow(operation("ä", "b"), results={"x": ["y"]}, errors=[])
    assert kept(document, LEAST) == document


def test_secrets_are_dropped() -> None:
    document = flow(operation("a", secrets={"x": "canary"}), secrets={"TOKEN": "canary"})
    before = copy.deepcopy(document)
    assert kept(document, LEAST) == flow(operation("a"))
    assert document == before


def test_a_log_keeps_its_end_and_says_what_is_missing() -> None:
    document = flow(operation(*[f"line {number}" for number in range(5000)]))
    shortened = kept(document, LEAST)
    note, *logs = shortened["opStates"][0]["logs"]
    assert "earlier entries of this log" in note["log"]
    assert str(5000 - len(logs)) in note["log"]
    assert logs == document["opStates"][0]["logs"][-len(logs) :]
    assert LEAST - 100 < size(shortened) <= LEAST
    assert {**shortened["opStates"][0], "logs": []} == {**document["opStates"][0], "logs": []}


def test_what_one_log_does_not_need_is_there_for_the_others() -> None:
    long = [f"line {number}" for number in range(5000)]
    shortened = kept(flow(operation("short"), operation(*long), operation(*long)), LEAST)
    one, two, three = (state["logs"] for state in shortened["opStates"])
    assert one == operation("short")["logs"]
    assert abs(len(two) - len(three)) <= 2
    assert size(shortened) > LEAST - 300


@pytest.mark.parametrize("character", ["x", '"', "ä", "\n", "🙂", "\\", "\ud83d"])
def test_one_endless_line_keeps_its_end(character: str) -> None:
    shortened = kept(flow(operation("first", character * 50_000 + "the end")), LEAST)
    note, last = shortened["opStates"][0]["logs"]
    assert "1 earlier" in note["log"]
    assert last["log"].endswith("the end")
    assert last["log"].removesuffix("the end").strip(character + "\ufffd") == ""
    assert LEAST - 100 < size(shortened) <= LEAST


@pytest.mark.parametrize(
    "document",
    [
        flow(operation("a"), results={"x": "y" * 50_000}),
        flow(*[operation("a") for _ in range(2000)]),
        flow(operation("a", results={"x": "y" * 50_000}), errors=["e" * 50_000]),
        {"status": "s" * 50_000, "opStates": "x" * 50_000},
        {"status": "success", "opStates": [["x" * 50_000]]},
        {
            "status": 10**4000,
            "opStates": [{"operationId": 10**4000, "logs": {"x": "y" * 50_000}}],
            "x": ["y"] * 20_000,
        },
        {"k" * 50_000: 1},
    ],
    ids=range(7),
)
def test_what_is_too_large_without_its_logs_is_an_outline(document: dict[str, Any]) -> None:
    outline = kept(document, LEAST)
    assert size(outline) <= LEAST
    assert "too large" in outline["dispatcher"]
    assert all(
        set(state) <= {"operationId", "status", "exitCode", "startTime", "endTime"}
        for state in outline["opStates"]
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=20), inner, max_size=6),
    max_leaves=30,
)
_logs = st.lists(
    st.fixed_dictionaries({"type": st.just("stdout"), "log": st.text(max_size=3000)}) | _json, max_size=40
)
_states = st.fixed_dictionaries({"exitCode": st.integers(0, 1), "logs": _logs | _json}) | _json


@given(
    states=st.lists(_states, max_size=5),
    more=st.dictionaries(st.text(max_size=9), _json, max_size=3),
    many=st.integers(1, 30),
)
def test_nothing_that_a_host_sends_is_larger_than_the_bound(
    states: list[Any], more: dict[str, Any], many: int
) -> None:
    document = {**more, "opStates": states * many}
    bounded = kept(document, LEAST)
    assert size(bounded) <= LEAST
    assert "secrets" not in bounded


def test_the_report_is_read_from_the_whole_document() -> None:
    failed = operation("boom", exitCode=3)
    document = flow(*[operation("x" * 100_000) for _ in range(12)], failed, secrets={"a": "canary"})
    result = asked(ALL["result"], good(document))
    assert (result.report.exit_code, size(result.document) <= 1_048_576) == (3, True)
    assert "canary" not in json.dumps(result.document)
    assert result.document["opStates"][-1]["exitCode"] == 3


def test_a_key_that_a_server_repeats_in_a_result_is_not_stored() -> None:
    result = asked(ALL["result"], raw(200, json.dumps(flow(operation(f"Authorization: Bearer {API_KEY}")))))
    assert result.document["opStates"][0]["logs"][0]["log"] == "Authorization: Bearer [secret]"
