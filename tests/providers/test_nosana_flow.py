"""A host's result document, and what it says about the run."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.errors import MalformedAnswer, NotFound
from dispatcher.domain.outcome import RunReport
from dispatcher.providers.nosana.flow import run_report
from dispatcher.providers.nosana.reading import Unreadable
from tests.providers.operations import ALL
from tests.providers.stand_in import API_KEY, asked, good, raw


def _op(exit_code: Any = 0, **reason: Any) -> dict[str, Any]:
    said = {"hostShutDown": False, "jobStopped": False, "jobExpired": False, **reason}
    return {"operationId": "main", "exitCode": exit_code, "logs": [], "diagnostics": {"reason": said}}


def _flow(*ops: Any, status: Any = "success", **more: Any) -> dict[str, Any]:
    return {
        "status": status,
        "startTime": 1795298401123,
        "endTime": 1795299000456,
        "opStates": list(ops),
        **more,
    }


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        (_flow(_op()), RunReport("success", 0)),
        (_flow(_op(0), _op(3), _op(4), status="failed"), RunReport("failed", 3)),
        (_flow(_op(None), _op(0)), RunReport("success", 0)),
        (_flow(_op(None)), RunReport("success", None)),
        (_flow(_op("1"), _op(True), _op(1.0)), RunReport("success", None)),
        (_flow(_op(-1), status="failed"), RunReport("failed", -1)),
        (_flow(), RunReport("success", None)),
        # A time-out is told as a success.
        (_flow(_op(), _op(137, jobExpired=True)), RunReport("success", 137, expired=True)),
        (_flow(_op(None, jobStopped=True), status="stopped"), RunReport("stopped", None, stopped=True)),
        (_flow(_op(None, hostShutDown=True), status="failed"), RunReport("failed", None, host_quit=True)),
        (_flow(_op(None, jobExpired="true", jobStopped=1)), RunReport("success", None)),
        # Older hosts.
        ({"status": "success", "opStates": [{"exitCode": 0}], "errors": []}, RunReport("success", 0)),
        (_flow({"exitCode": 0, "diagnostics": None}, None, "x", []), RunReport("success", 0)),
    ],
)
def test_what_a_flow_says(flow: dict[str, Any], expected: RunReport) -> None:
    assert run_report(flow) == expected


@pytest.mark.parametrize(
    ("flow", "detail"),
    [
        (_flow(_op(1) | {"error": {"event": "image-pull", "message": "no such image"}}), "no such image"),
        (_flow(_op(1) | {"error": {"event": "image-pull"}}), "image-pull"),
        (_flow(_op(1, reason="out of\nmemory\x1b[31m")), "out of memory [31m"),
        (_flow(_op(1, reason="same") | {"error": {"message": "same"}}), "same"),
        (_flow(errors=["first", {"message": "second"}, 3, None]), "first; second"),
        (_flow(errors="only"), "only"),
        (
            _flow(
                status="validation-error",
                errors=[{"path": "$input.ops[0].args.image", "expected": "string", "value": "hunter2"}],
            ),
            "$input.ops[0].args.image: expected string",
        ),
        (_flow(_op(1, reason="x" * 1000)), "x" * 297 + "..."),
    ],
)
def test_the_hosts_words(flow: dict[str, Any], detail: str) -> None:
    assert run_report(flow).detail == detail


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "success",
        {},
        {"status": "success"},
        {"opStates": []},
        _flow(status=None),
        _flow() | {"opStates": {}},
    ],
)
def test_what_is_no_flow_is_malformed(document: Any) -> None:
    with pytest.raises(Unreadable):
        run_report(document)
    with pytest.raises(MalformedAnswer):
        asked(ALL["result"], good(document))


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/octet-stream"])
def test_a_result_is_read_whatever_the_gateway_calls_it(kind: str) -> None:
    flow = _flow(_op(), results={"loss": 0.25})
    found = asked(ALL["result"], raw(200, json.dumps(flow), content_type=kind))
    assert found.report == RunReport("success", 0)
    assert found.document == flow
    assert "loss" not in repr(found)


def test_a_gateway_may_not_have_it_or_show_a_page() -> None:
    with pytest.raises(NotFound):
        asked(ALL["result"], raw(404, "no content found for this cid"))
    with pytest.raises(MalformedAnswer):
        asked(ALL["result"], raw(200, "<html>welcome</html>", content_type="text/html"))


def test_a_result_may_not_be_larger_than_the_bound() -> None:
    body = json.dumps(_flow(_op()))
    assert asked(ALL["result"], raw(200, body), result_at_most=len(body)).report.exit_code == 0
    with pytest.raises(MalformedAnswer, match="more than"):
        asked(ALL["result"], raw(200, body), result_at_most=len(body) - 1)


def test_a_host_that_knows_our_key_does_not_get_it_logged() -> None:
    found = asked(ALL["result"], good(_flow(_op(1, reason=f"env API={API_KEY}"))))
    assert found.report.detail == "env API=[secret]"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "message", "diagnostics", "reason", "exitCode", "path"]), inner
        )
    ),
)


@given(ops=st.lists(_JSON, max_size=3), errors=_JSON, status=_JSON)
def test_any_flow_is_read_or_refused(ops: list[Any], errors: Any, status: Any) -> None:
    try:
        report = run_report({"status": status, "opStates": ops, "errors": errors})
    except Unreadable:
        return
    assert len(report.detail) <= 300
    assert report.detail.isprintable()
