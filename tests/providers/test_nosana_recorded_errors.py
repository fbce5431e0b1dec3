"""Every error answer that the published clients were recorded at, and what it is here."""

import httpx
import pytest

from dispatcher.domain import errors as e
from dispatcher.domain.errors import ProviderError
from tests.providers.operations import ALL, Call
from tests.providers.recorded import recorded
from tests.providers.stand_in import Reply, asked, raw

_SHORT = b"Insufficient credits. Available: $0.000, Required: $1.047"

ANSWERS: dict[str, tuple[Reply, type[ProviderError]]] = {
    "400 {message}": (raw(400, b'{"message":"Market not found"}'), e.Refused),
    "402 {message}": (raw(402, b'{"message":"%s"}' % _SHORT), e.InsufficientCredits),
    "402 {error}": (raw(402, b'{"error":"%s"}' % _SHORT), e.InsufficientCredits),
    "409 {error, message, code, statusCode}": (
        raw(
            409,
            b'{"error":"Conflict","message":"still confirming",'
            b'"code":"IDEMPOTENCY_KEY_IN_PROGRESS","statusCode":409}',
        ),
        e.KeyInProgress,
    ),
    "401 {name, message}": (
        raw(401, b'{"name":"Unauthorized","message":"Invalid API key"}'),
        e.Unauthorized,
    ),
    "422 validation (Elysia-like)": (
        raw(
            422,
            b'{"type":"validation","on":"body","property":"/market","message":"Expected string",'
            b'"expected":{},"errors":[]}',
        ),
        e.Refused,
    ),
    "404 plain text": (raw(404, b"Not Found", content_type="text/plain"), e.NotFound),
    "502 html": (
        raw(502, b"<html><body>Bad Gateway</body></html>", content_type="text/html"),
        e.Unavailable,
    ),
    '401 JSON string "Unauthorized"': (raw(401, b'"Unauthorized"'), e.Unauthorized),
    "500 empty body (content-length 0)": (raw(500), e.Unavailable),
    "200 empty body (content-length 0)": (raw(200), e.MalformedAnswer),
    "200 not JSON": (raw(200, b"hello"), e.MalformedAnswer),
    "200 JSON null": (raw(200, b"null"), e.MalformedAnswer),
    "429 {error, message} + Retry-After": (
        raw(429, b'{"error":"Rate limit exceeded","message":"Too many requests"}', retry_after="7"),
        e.RateLimited,
    ),
    "connection cut": (httpx.ReadError("Server disconnected"), e.NoAnswer),
}
"""As the recordings describe them; they keep the answer's shape in words, and what the clients made of it."""

_CALLS: dict[str, Call] = {
    "jobs.list": ALL["post"],
    "credits.balance": ALL["balance"],
    "ipfs.pin": ALL["pin"],
    "ipfs.retrieve": ALL["result"],
}


@pytest.mark.parametrize("operation", _CALLS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_error_answer_is_the_right_error(answer: str, operation: str) -> None:
    reply, expected = ANSWERS[answer]
    with pytest.raises(ProviderError) as caught:
        asked(_CALLS[operation], reply)
    assert type(caught.value) is expected


def test_every_recorded_error_answer_is_covered() -> None:
    entries = recorded("error_answers")
    assert {entry["server_answers"] for entry in entries} == set(ANSWERS)
    assert {entry["operation"] for entry in entries} == set(_CALLS)


def test_the_words_are_those_that_the_recorded_client_shows() -> None:
    """The kit puts a prefix of its own before `error` or else `message`; ours has all of both."""
    compared = 0
    for entry in recorded("error_answers"):
        reply, _ = ANSWERS[entry["server_answers"]]
        if entry["client"] != "@nosana/kit@2.1.8" or entry["operation"] != "jobs.list":
            continue
        if not isinstance(reply, httpx.Response) or reply.status_code == 200:
            continue
        _, _, words = entry["outcome"]["message"].partition(": ")
        with pytest.raises(ProviderError) as caught:
            asked(ALL["post"], reply)
        # A page's tags are left out, and an empty answer is called one.
        shown = words.replace("<html><body>", "").replace("</body></html>", "")
        assert shown in caught.value.text
        compared += 1
    assert compared == len(
        [reply for reply, kind in ANSWERS.values() if kind not in (e.MalformedAnswer, e.NoAnswer)]
    )
