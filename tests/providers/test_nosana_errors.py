"""Every refusal and every lost connection, as the right error with the right words and no secret."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import errors as e
from dispatcher.domain.errors import ProviderError, Verdict
from dispatcher.providers.nosana.translation import LONGEST_WAIT, retry_after
from tests.providers.operations import ALL, KEYED
from tests.providers.stand_in import asked, provider, raw

SHORT = "Insufficient credits. Available: $0.000, Required: $1.047"


def _error(answer: httpx.Response | Exception, name: str = "post") -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        asked(ALL[name], answer)
    return caught.value


def _json(status: int, body: Any, **headers: str) -> httpx.Response:
    return raw(status, json.dumps(body), content_type="application/json", **headers)


def _conflict(code: Any, **more: Any) -> dict[str, Any]:
    return {"error": "Conflict", "message": "still confirming", "code": code, **more}


@pytest.mark.parametrize(
    ("answer", "kind", "verdict"),
    [
        (_json(400, {"message": "Market not found"}), e.Refused, Verdict.FINAL),
        (_json(422, {"message": "Expected string"}), e.Refused, Verdict.FINAL),
        (_json(418, {"message": "no"}), e.Refused, Verdict.FINAL),
        (_json(401, {"name": "Unauthorized", "message": "Invalid API key"}), e.Unauthorized, Verdict.FINAL),
        (_json(401, "Unauthorized"), e.Unauthorized, Verdict.FINAL),
        (_json(402, {"message": SHORT}), e.InsufficientCredits, Verdict.FINAL),
        (_json(402, {"error": SHORT}), e.InsufficientCredits, Verdict.FINAL),
        (raw(402), e.InsufficientCredits, Verdict.FINAL),
        (_json(400, {"message": SHORT}), e.InsufficientCredits, Verdict.FINAL),
        (_json(403, {"error": SHORT.upper()}), e.InsufficientCredits, Verdict.FINAL),
        (_json(403, {"message": "Not the owner of this job"}), e.Forbidden, Verdict.FINAL),
        (raw(404, "Not Found"), e.NotFound, Verdict.FINAL),
        (raw(408), e.Unavailable, Verdict.SAME_KEY),
        (_json(409, _conflict("IDEMPOTENCY_KEY_IN_PROGRESS")), e.KeyInProgress, Verdict.SAME_KEY),
        (_json(409, _conflict("IDEMPOTENCY_KEY_EXPIRED")), e.KeyExpired, Verdict.NEW_KEY),
        (_json(409, _conflict("IDEMPOTENCY_KEY_PAYLOAD_MISMATCH")), e.KeyMismatch, Verdict.FINAL),
        (_json(409, _conflict("SOMETHING_ELSE")), e.Refused, Verdict.FINAL),
        (_json(409, _conflict(7)), e.Refused, Verdict.FINAL),
        (_json(409, {"message": "Job is already finished"}), e.Refused, Verdict.FINAL),
        (raw(409, "Conflict"), e.Refused, Verdict.FINAL),
        (raw(409), e.Refused, Verdict.FINAL),
        # A signal that is cut off must not pass for a final refusal.
        (raw(409, '{"message":"still confirming","code":"IDEMPOTENCY_KEY_IN'), e.NoAnswer, Verdict.SAME_KEY),
        # Nor may one whose words look like something else.
        (
            _json(409, {"message": SHORT, "code": "IDEMPOTENCY_KEY_IN_PROGRESS"}),
            e.KeyInProgress,
            Verdict.SAME_KEY,
        ),
        # The code means something with 409 alone.
        (_json(400, _conflict("IDEMPOTENCY_KEY_EXPIRED")), e.Refused, Verdict.FINAL),
        (_json(429, {"error": "Rate limit exceeded"}), e.RateLimited, Verdict.SAME_KEY),
        (_json(500, {"name": "Error", "message": "boom"}), e.Unavailable, Verdict.SAME_KEY),
        (_json(500, {"message": SHORT}), e.Unavailable, Verdict.SAME_KEY),
        (raw(502, "<html>Bad Gateway</html>"), e.Unavailable, Verdict.SAME_KEY),
        (raw(503), e.Unavailable, Verdict.SAME_KEY),
        (raw(304), e.Refused, Verdict.FINAL),
        (raw(307, location="https://api.test/elsewhere"), e.Refused, Verdict.FINAL),
        (raw(101), e.MalformedAnswer, Verdict.SAME_KEY),
        (raw(200), e.MalformedAnswer, Verdict.SAME_KEY),
        (raw(204), e.MalformedAnswer, Verdict.SAME_KEY),
        (raw(200, "null"), e.MalformedAnswer, Verdict.SAME_KEY),
    ],
    ids=lambda value: f"{value.status_code} {value.text[:60]}" if isinstance(value, httpx.Response) else "",
)
@pytest.mark.parametrize("name", KEYED)
def test_an_answer_is_the_right_error(
    name: str, answer: httpx.Response, kind: type[ProviderError], verdict: Verdict
) -> None:
    error = _error(answer, name)
    assert type(error) is kind
    assert error.verdict is verdict
    assert error.operation == name
    assert error.status == answer.status_code


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("status", "kind"), [(401, e.Unauthorized), (404, e.NotFound), (500, e.Unavailable)])
def test_every_call_translates(name: str, status: int, kind: type[ProviderError]) -> None:
    assert type(_error(raw(status, "no"), name)) is kind


@pytest.mark.parametrize("status", [400, 404])
def test_a_stop_of_a_finished_job_in_the_second_generation(status: int) -> None:
    error = _error(_json(status, {"message": "Job is already finished"}), "stop")
    assert type(error) is {400: e.Refused, 404: e.NotFound}[status]


# --- the words


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"message": "Market not found"}, "Market not found"),
        ({"error": "Rate limit exceeded"}, "Rate limit exceeded"),
        ({"error": "Conflict", "message": "still confirming"}, "Conflict: still confirming"),
        ({"error": "same", "message": "same"}, "same"),
        ({"error": {"reason": "INVALID_CREDENTIALS", "details": "expired"}}, "INVALID_CREDENTIALS: expired"),
        ({"on": "body", "property": "/market", "message": "Expected string"}, "Expected string (/market)"),
        ({"message": 7, "error": None}, '{"message": 7, "error": null}'),
        ({"message": ""}, '{"message": ""}'),
        ("Unauthorized", "Unauthorized"),
        (["a"], '["a"]'),
        (None, "null"),
    ],
)
def test_the_words_of_json(body: Any, text: str) -> None:
    assert _error(_json(400, body)).text == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"Not Found", "Not Found"),
        (b"", "the answer has no text"),
        (b" \r\n ", "the answer has no text"),
        (b"<html><body><h1>Bad\nGateway</h1></body></html>", "Bad Gateway"),
        (b"<html><h1>Bad</h1><p>Gateway", "Bad Gateway"),
        (b'{"message":"cut he', '{"message":"cut he'),
        (b"two\r\nlines\tand \x1b[31mcolour\x00", "two lines and [31mcolour"),
        (b"\xff\xfe", "��"),
        ("x" * 5000, "x" * 297 + "..."),
        ("y " * 3_000_000, "y " * 148 + "y..."),
    ],
    ids=range(10),
)
def test_the_words_of_anything_else(body: bytes | str, text: str) -> None:
    error = _error(raw(400, body))
    assert error.text == text
    assert str(error) == f"post: {text} (HTTP 400)"


@pytest.mark.parametrize(
    ("text", "available", "required"),
    [
        (SHORT, "0.000", "1.047"),
        ("Insufficient credits. Available: $-5.000, Required: $1.047", "-5.000", "1.047"),
        ("Insufficient credits. Available: -$5.000, Required: $1", "-5.000", "1"),
        ("Insufficient credits. Available:$12.5", "12.5", None),
        ("Insufficient credits. Required: $2.000", None, "2.000"),
        ("Insufficient credits", None, None),
        ("Insufficient credits. Available: EUR 3", None, None),
    ],
)
def test_the_amounts_of_a_shortage(text: str, available: str | None, required: str | None) -> None:
    error = _error(_json(402, {"message": text}))
    assert isinstance(error, e.InsufficientCredits)
    assert error.available == (None if available is None else Decimal(available))
    assert error.required == (None if required is None else Decimal(required))
    assert error.text == text


# --- Retry-After

_DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "NaN"}, None),
        ({"retry-after": "999999999"}, LONGEST_WAIT),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "soon"}, None),
        # A date counts from the server's own time, and says nothing without that.
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", "date": _DATE}, 60.0),
        ({"retry-after": "Sunday, 06-Nov-94 08:50:37 GMT", "date": _DATE}, 60.0),
        ({"retry-after": "Sun Nov  6 08:50:37 1994", "date": _DATE}, 60.0),
        ({"retry-after": "Sun, 06 Nov 1994 09:50:37 +0100", "date": _DATE}, 60.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT", "date": _DATE}, 0.0),
        ({"retry-after": "Sun, 06 Nov 2094 08:00:00 GMT", "date": _DATE}, LONGEST_WAIT),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT"}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", "date": "yesterday"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after(status: int, headers: dict[str, str], seconds: float | None) -> None:
    assert _error(httpx.Response(status, headers=headers)).retry_after == seconds


@pytest.mark.parametrize(
    ("header", "field", "seconds"),
    [
        ("3", 9, 3.0),
        (None, 9, 9.0),
        (None, 1.5, 1.5),
        (None, "9", None),
        (None, True, None),
        (None, -1, None),
        (None, 1e300, LONGEST_WAIT),
        (None, None, None),
    ],
)
def test_retry_after_of_a_key_in_progress(header: str | None, field: Any, seconds: float | None) -> None:
    headers = {"retry_after": header} if header else {}
    error = _error(_json(409, _conflict("IDEMPOTENCY_KEY_IN_PROGRESS", retryAfter=field), **headers))
    assert type(error) is e.KeyInProgress
    assert error.retry_after == seconds


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_constant_that_is_no_json_does_not_break_the_signal(constant: str) -> None:
    body = f'{{"message":"x","code":"IDEMPOTENCY_KEY_IN_PROGRESS","retryAfter":{constant}}}'
    error = _error(raw(409, body))
    assert type(error) is e.KeyInProgress
    assert error.retry_after in (None, LONGEST_WAIT)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_retry_after_is_within_bounds(value: str, date: str) -> None:
    wait = retry_after({"retry-after": value, "date": date})
    assert wait is None or 0 <= wait <= LONGEST_WAIT


# --- no answer

_LOST = [
    httpx.ConnectError("[Errno 111] Connection refused"),
    httpx.ConnectTimeout("timed out"),
    httpx.PoolTimeout("timed out"),
    httpx.ReadTimeout("The read operation timed out"),
    httpx.WriteTimeout("timed out"),
    httpx.ReadError("Server disconnected"),
    httpx.WriteError("Broken pipe"),
    httpx.RemoteProtocolError("Server disconnected without sending a response."),
    httpx.LocalProtocolError("illegal"),
    httpx.DecodingError("Error -3 while decompressing data"),
    httpx.TooManyRedirects("Exceeded"),
    httpx.InvalidURL("no"),
    httpx.StreamClosed(),
    ConnectionResetError(104, "Connection reset by peer"),
]


@pytest.mark.parametrize("failure", _LOST, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("name", ["post", "balance", "pin"])
def test_no_answer_leaves_a_call_undecided(name: str, failure: Exception) -> None:
    error = _error(failure, name)
    assert type(error) is e.NoAnswer
    assert error.verdict is Verdict.SAME_KEY
    assert error.status is None
    assert type(failure).__name__ in error.text
    assert error.__cause__ is not None


def test_an_answer_that_cannot_be_decoded_is_no_answer() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip"))

    with pytest.raises(e.NoAnswer, match="DecodingError"):
        ALL["post"](provider(httpx.MockTransport(answer)))
