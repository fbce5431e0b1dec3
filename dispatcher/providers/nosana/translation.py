"""Everything that can go wrong between here and the network, as `ProviderError`: the one place that decides.

Sources: Nosana credits API, errors and idempotency (docs/nosana.md). A refusal is told by its HTTP status, a 409
by the `code` in its body; the words are for people, but for `Insufficient credits`, which consumers look for.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from dispatcher.domain.errors import (
    Forbidden,
    InsufficientCredits,
    KeyExpired,
    KeyInProgress,
    KeyMismatch,
    MalformedAnswer,
    NoAnswer,
    NotFound,
    ProviderError,
    RateLimited,
    Refused,
    Unauthorized,
    Unavailable,
)
from dispatcher.providers.nosana.credentials import Scrubber
from dispatcher.providers.nosana.reading import Unreadable

LONGEST_WAIT: Final = 86_400.0
"""Seconds. A `Retry-After` beyond a day is a fault of the server's, and must not park a job for good."""

_KEY_SIGNALS: Final[Mapping[str, type[ProviderError]]] = {
    "IDEMPOTENCY_KEY_IN_PROGRESS": KeyInProgress,
    "IDEMPOTENCY_KEY_EXPIRED": KeyExpired,
    "IDEMPOTENCY_KEY_PAYLOAD_MISMATCH": KeyMismatch,
}
_BY_STATUS: Final[Mapping[int, type[ProviderError]]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    # The server gave up waiting for the request, so nothing happened: proxies say so on idle connections.
    408: Unavailable,
    429: RateLimited,
}
_TOO_LITTLE: Final = "insufficient credits"
_AMOUNT: Final = r":\s*(-?)\$(-?)(\d{1,12}(?:\.\d{1,12})?)"
_AVAILABLE: Final = re.compile("available" + _AMOUNT, re.IGNORECASE)
_REQUIRED: Final = re.compile("required" + _AMOUNT, re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]{0,1000}>")
_SECONDS: Final = re.compile(r"\d{1,12}(?:\.\d{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an HTTP status, headers, and the body (of an error, its beginning)."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


def refusal(operation: str, answer: Answer, scrub: Scrubber) -> ProviderError:
    """The error for an answer that is not 2xx."""
    fields = _object_in(answer.body)
    said = _words(answer.body, fields)
    text = scrub.line(said) or "the answer has no text"
    status = answer.status
    wait = retry_after(answer.headers)
    if status >= 500:
        return Unavailable(operation, text, status=status, retry_after=wait)
    if status < 300:
        return MalformedAnswer(operation, "an answer of a kind that was not asked for", status=status)
    if status == 409 and (signal := _key_signal(operation, answer, fields, text, scrub)) is not None:
        return signal
    if status == 402 or (status >= 400 and _TOO_LITTLE in said.lower()):
        return InsufficientCredits(
            operation,
            text,
            status=status,
            available=_amount(_AVAILABLE, said),
            required=_amount(_REQUIRED, said),
        )
    return _BY_STATUS.get(status, Refused)(operation, text, status=status, retry_after=wait)


def no_answer(operation: str, failure: Exception, host: str, scrub: Scrubber) -> NoAnswer:
    """The error for a call that brought no whole answer, its cause attached.

    Whether the connection was never made or cut in the middle makes no difference: the same key is asked again.
    The cause is a copy of `failure` without its request, context and traceback: an HTTP library's frames have the
    Authorization header in their local variables, and tracebacks with local variables end up in logs.
    """
    words = scrub.line(str(failure))
    kind = type(failure).__name__
    text = f"no answer from {host}: {kind}" + (f": {words}" if words else "")
    error = NoAnswer(operation, scrub.line(text))
    error.__cause__ = (
        type(failure)(words)
        if isinstance(failure, httpx.RequestError)
        else httpx.TransportError(f"{kind}: {words}")
    )
    return error


def malformed(operation: str, answer: Answer, why: Unreadable, scrub: Scrubber) -> MalformedAnswer:
    """The error for a 2xx answer that cannot be understood, with the beginning of what it said."""
    said = _decoded(answer.body)
    text = f"{why}; the answer: {said}" if said.strip() else str(why)
    return MalformedAnswer(operation, scrub.line(text), status=answer.status)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from `Retry-After`, given as seconds or as an HTTP date; None if there is none that makes sense.

    A date counts from the answer's own `Date`: the server's clock, not ours. Without that it says nothing.
    """
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_WAIT)
    then, now = _http_date(value), _http_date(headers.get("date", ""))
    if then is None or now is None:
        return None
    return min(max((then - now).total_seconds(), 0.0), LONGEST_WAIT)


def _key_signal(
    operation: str, answer: Answer, fields: dict[str, Any] | None, text: str, scrub: Scrubber
) -> ProviderError | None:
    """The idempotency signal in a 409, or None if it holds none."""
    wait = retry_after(answer.headers)
    if fields is None:
        if answer.body.lstrip().startswith(b"{"):
            # The code was in the part that is lost. Taking it for final could abandon a job that was posted.
            text = scrub.line(f"the answer was cut short: {text}")
            return NoAnswer(operation, text, status=409, retry_after=wait)
        return None
    code = fields.get("code")
    kind = _KEY_SIGNALS.get(code) if isinstance(code, str) else None
    if kind is None:
        return None
    if wait is None and kind is KeyInProgress:
        wait = _seconds(fields.get("retryAfter"))
    return kind(operation, text, status=409, retry_after=wait)


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(min(value, LONGEST_WAIT)) if value >= 0 else None


def _decoded(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _json_in(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _object_in(body: bytes) -> dict[str, Any] | None:
    value = _json_in(body)
    return value if isinstance(value, dict) else None


def _words(body: bytes, fields: dict[str, Any] | None) -> str:
    """The text of an error answer: an object's `error` and `message`, a JSON string, plain text, HTML."""
    if fields is not None:
        said = [_phrase(fields.get("error")), _phrase(fields.get("message"))]
        words = ": ".join(dict.fromkeys(phrase for phrase in said if phrase))
        place = fields.get("property")
        if words:
            return f"{words} ({place})" if isinstance(place, str) and place else words
    text = _json_in(body)
    if not isinstance(text, str):
        text = _decoded(body)
    return _TAG.sub(" ", text) if text.lstrip().startswith("<") else text


def _phrase(value: object) -> str:
    match value:
        case str():
            return value
        case dict():  # Pinata: {"error": {"reason", "details"}}
            parts = [value.get(name) for name in ("reason", "message", "details")]
            return ": ".join(part for part in parts if isinstance(part, str) and part)
        case _:
            return ""


def _amount(pattern: re.Pattern[str], text: str) -> Decimal | None:
    """`$0.000`, and a claw-back's `$-5.000` or `-$5.000`."""
    found = pattern.search(text)
    if found is None:
        return None
    before, after, number = found.groups()
    return -Decimal(number) if before or after else Decimal(number)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
