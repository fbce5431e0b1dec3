"""Requests out, whole answers in, within bounds; what goes wrong is translated here and nowhere above.

Reads follow redirects; httpx drops Authorization where one leads to another origin. Writes follow none: a body
is sent to the host it was meant for, once.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import httpx

from dispatcher.domain.errors import MalformedAnswer, Refused
from dispatcher.providers.nosana.clients import ThreadClients
from dispatcher.providers.nosana.credentials import SECRET_AT_MOST, Bearer, Scrubber
from dispatcher.providers.nosana.translation import Answer, no_answer, refusal

ANSWER_AT_MOST: Final = 16 * 1024 * 1024
"""Bytes that are read of a good answer."""

_ERROR_AT_MOST: Final = 64 * 1024
_TORN: Final = (
    4096  # longer than any secret: the end of a cut text may be half of one that the server repeated
)
_REDIRECTS: Final = 5


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, each for one step of a call; what takes longer is no answer.

    connect: for the connection, TLS included. read: for each piece of the answer, so above all for the time that
    the server thinks; a post waits for the chain there. write: for each piece of the request. pool: for a free
    connection of this thread's own pool, which is never full in ordinary use. whole: for the answer's body as a
    whole, so that a server that sends it drop by drop holds no worker.
    """

    connect: float = 5.0
    read: float = 20.0
    write: float = 10.0
    pool: float = 5.0
    whole: float = 60.0


TIMEOUTS: Final = Timeouts()


class Wire:
    """Sends requests of one account; any number of threads may use it at once."""

    def __init__(
        self,
        *,
        timeouts: Timeouts,
        transport: httpx.BaseTransport | None,
        scrub: Scrubber,
        monotonic: Callable[[], float] | None,
    ) -> None:
        self._scrub = scrub
        self._whole, self._monotonic = timeouts.whole, monotonic
        self._clients = ThreadClients(
            timeout=httpx.Timeout(
                connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool
            ),
            headers={
                "Accept": "*/*",
                # Spelt out: httpx would add what other installed packages happen to decode.
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": f"dispatcher/{_version()}",
            },
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections of all threads."""
        self._clients.close()

    def get(self, operation: str, url: str, *, auth: Bearer | None, at_most: int = ANSWER_AT_MOST) -> Answer:
        """Read. Raises `ProviderError` for anything but a 2xx answer of at most `at_most` bytes."""
        return self._call(operation, "GET", url, auth=auth, at_most=at_most)

    def post(
        self,
        operation: str,
        url: str,
        *,
        auth: Bearer,
        body: bytes | None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Write: `body` is JSON, or None for none at all. Raises `ProviderError` for anything but 2xx."""
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
        return self._call(operation, "POST", url, auth=auth, body=body, headers=sent)

    def _call(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        auth: Bearer | None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        at_most: int = ANSWER_AT_MOST,
    ) -> Answer:
        try:
            request = self._clients.mine().build_request(method, url, content=body, headers=headers)
            answer = self._exchange(operation, request, auth, at_most)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as e:
            lost = no_answer(operation, e, httpx.URL(url).host, self._scrub)
        else:
            if answer.is_good:
                return answer
            raise refusal(operation, answer, self._scrub)
        # Outside of the handler, or Python would attach the library's own exception as context.
        raise lost

    def _exchange(self, operation: str, request: httpx.Request, auth: Bearer | None, at_most: int) -> Answer:
        client = self._clients.mine()
        for _ in range(_REDIRECTS + 1):
            response = client.send(request, auth=auth, stream=True)
            with closing(response):
                following = response.next_request if request.method == "GET" else None
                if following is None:
                    return self._read(operation, response, at_most)
            # httpx made the next request: the credential is still on it if the origin is the same.
            request, auth = following, None
        raise Refused(operation, f"redirected more than {_REDIRECTS} times")

    def _read(self, operation: str, response: httpx.Response, at_most: int) -> Answer:
        good = response.is_success
        bound = at_most if good else _ERROR_AT_MOST
        body = bytearray()
        began = self._monotonic() if self._monotonic is not None else 0.0
        for piece in response.iter_bytes():
            body += piece
            if self._monotonic is not None and self._monotonic() - began > self._whole:
                raise httpx.ReadTimeout(f"the answer was not whole after {self._whole:g} s")
            if len(body) > bound:
                if good:
                    raise MalformedAnswer(
                        operation, f"the answer has more than {bound} bytes", status=response.status_code
                    )
                # The end of a text that is cut may be half of a secret that the server repeated.
                del body[bound - SECRET_AT_MOST :]
                break
        return Answer(response.status_code, response.headers, bytes(body))


def _version() -> str:
    try:
        return version("dispatcher")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0"
