"""How bytes move: redirects, bounds, threads, connections, and what a broken one may show."""

import gzip
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from dispatcher.domain import errors as e
from dispatcher.domain.errors import ProviderError, SettingsError
from dispatcher.providers.nosana.wire import ANSWER_AT_MOST
from tests.providers.operations import ALL, READS, WRITES
from tests.providers.stand_in import API_KEY, StandIn, good, provider, raw

BALANCE = {"assignedCredits": 50, "reservedCredits": 0, "settledCredits": 0}


# --- redirects


@pytest.mark.parametrize(
    ("location", "keeps"),
    [
        ("/elsewhere", True),
        ("https://api.test/elsewhere", True),
        ("https://other.test/elsewhere", False),
        ("https://api.test:8443/elsewhere", False),
        ("http://api.test/elsewhere", False),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_read_follows_and_its_credential_stays_at_home(status: int, location: str, keeps: bool) -> None:
    network = StandIn(raw(status, location=location), good(BALANCE))
    assert ALL["balance"](provider(network)).assigned == 50
    first, second = network.requests
    assert first.headers["authorization"] == f"Bearer {API_KEY}"
    assert second.url.path == "/elsewhere"
    assert second.method == "GET"
    assert second.headers.get("authorization") == (f"Bearer {API_KEY}" if keeps else None)


def test_a_credential_does_not_come_back_after_a_detour() -> None:
    away, home = raw(302, location="https://other.test/"), raw(302, location="https://api.test/")
    network = StandIn(away, home, good(BALANCE))
    ALL["balance"](provider(network))
    assert ["authorization" in request.headers for request in network.requests] == [True, False, False]


def test_a_token_for_the_gateway_stays_there() -> None:
    flow = {"status": "success", "opStates": []}
    network = StandIn(raw(301, location="https://other.test/ipfs/x"), good(flow))
    ALL["result"](provider(network, jwt_to_gateway=True))
    assert ["authorization" in request.headers for request in network.requests] == [True, False]


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_write_follows_nowhere(name: str, status: int) -> None:
    network = StandIn(raw(status, location="https://api.test/elsewhere"), good({}))
    with pytest.raises(e.Refused):
        ALL[name](provider(network))
    assert len(network.requests) == 1


@pytest.mark.parametrize("name", READS)
def test_a_read_does_not_follow_for_ever(name: str) -> None:
    network = StandIn(raw(302, location="/again"))
    with pytest.raises(e.Refused, match="redirected more than 5 times"):
        ALL[name](provider(network))
    assert len(network.requests) == 6


@pytest.mark.parametrize("location", ["ftp://other.test/", "http://[", "mailto:a@b"])
def test_a_redirect_to_nowhere_is_no_answer(location: str) -> None:
    with pytest.raises(ProviderError):
        ALL["balance"](provider(StandIn(raw(302, location=location))))


# --- bounds


class _Endless(httpx.SyncByteStream):
    """A body that goes on; counts what was taken of it."""

    def __init__(self, piece: bytes = b"x" * 65_536) -> None:
        self.piece, self.taken, self.closed = piece, 0, False

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.taken += len(self.piece)
            yield self.piece

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("name", "status", "bound", "kind"),
    [
        ("result", 200, 1_000_000, e.MalformedAnswer),
        ("balance", 200, ANSWER_AT_MOST, e.MalformedAnswer),
        ("post", 200, ANSWER_AT_MOST, e.MalformedAnswer),
        ("post", 400, 65_536, e.Refused),
        ("result", 500, 65_536, e.Unavailable),
    ],
)
def test_reading_stops_at_the_bound(name: str, status: int, bound: int, kind: type[ProviderError]) -> None:
    body = _Endless()
    transport = httpx.MockTransport(lambda _: httpx.Response(status, stream=body))
    with pytest.raises(kind):
        ALL[name](provider(transport, result_at_most=1_000_000))
    assert bound < body.taken <= bound + 2 * len(body.piece)
    assert body.closed


def test_the_bound_counts_what_is_unpacked() -> None:
    packed = gzip.compress(b" " * 5_000_000)
    answer = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(packed))
    assert len(packed) < 10_000
    with pytest.raises(e.MalformedAnswer, match="more than 1000 bytes"):
        ALL["result"](provider(httpx.MockTransport(lambda _: answer), result_at_most=1000))


def test_cookies_are_not_kept() -> None:
    answer = good(BALANCE)
    answer.headers["set-cookie"] = "tied=1; Path=/"
    network = StandIn(answer)
    account = provider(network)
    for _ in range(2):
        account.balance()
    assert all("cookie" not in request.headers for request in network.requests)


# --- settings


@pytest.mark.parametrize(
    "url", ["", "api.test", "ftp://api.test", "https://", "/api", "https://api.test:port"]
)
@pytest.mark.parametrize("setting", ["api_url", "ipfs_api_url", "ipfs_gateway_url"])
def test_what_is_no_url_is_refused_at_once(setting: str, url: str) -> None:
    with pytest.raises(SettingsError, match="URL"):
        provider(None, **{setting: url})


@pytest.mark.parametrize("url", ["https://me:pass-word@api.test", "https://api.test/?a=pass-word"])
def test_a_url_that_holds_more_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        provider(None, api_url=url)
    assert "pass-word" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "two words", "line\nbreak", "schlüssel", "x" * 5000])
def test_a_secret_that_no_header_can_carry_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(SettingsError, match="the API key of account 'default'") as caught:
        provider(None, api_key=SecretStr(secret))
    assert not secret or secret not in str(caught.value)
    if secret:
        with pytest.raises(SettingsError, match="DISPATCHER_IPFS_JWT"):
            provider(None, ipfs_jwt=SecretStr(secret))


@pytest.mark.parametrize("jwt", [None, SecretStr("")])
def test_without_a_token_everything_works_but_pinning(jwt: SecretStr | None) -> None:
    network = StandIn(good(BALANCE))
    account = provider(network, ipfs_jwt=jwt, jwt_to_gateway=True)
    assert account.balance().assigned == 50
    with pytest.raises(SettingsError, match="DISPATCHER_IPFS_JWT"):
        ALL["pin"](account)
    assert len(network.requests) == 1, "nothing may be sent with a token that nobody set"
