"""No key and no token in anything that an error, a log or a representation shows."""

import traceback
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dispatcher.domain.errors import ProviderError
from tests.providers.leaks import everything_shown
from tests.providers.operations import ALL
from tests.providers.stand_in import API_KEY, JWT, StandIn, asked, provider, raw


def _error(answer: httpx.Response | Exception, name: str, **changes: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        asked(ALL[name], answer, **changes)
    return caught.value


@pytest.mark.parametrize("name", ["balance", "post", "pin", "result"])
@pytest.mark.parametrize(
    "echo",
    [
        "{}",
        "Bearer {}\r\nX: y",
        '{{"message":"wrong key {}"}}',
        '{{"error":{{"reason":"{}"}}}}',
        '{{"a":"{}","b":',
        "<p>{}</p>",
        "<p>{}",
        "x" * 290 + "{}",
        " " * 65_530 + "{}" + "y" * 9000,
    ],
    ids=range(9),
)
@pytest.mark.parametrize("status", [200, 401, 402, 409, 500])
@pytest.mark.parametrize("secret", [API_KEY, JWT])
def test_a_secret_that_the_server_repeats_goes_no_further(
    secret: str, status: int, echo: str, name: str
) -> None:
    error = _error(raw(status, echo.format(secret)), name)
    for text in (str(error), repr(error), error.text, "".join(traceback.format_exception(error))):
        assert secret not in text
        assert secret[:8] not in text
    assert len(error.text) <= 300
    assert error.text.isprintable()


def test_tags_between_the_halves_of_a_secret_do_not_hide_it() -> None:
    half = len(API_KEY) // 2
    assert API_KEY not in _error(raw(400, f"<p>{API_KEY[:half]}<b></b>{API_KEY[half:]}"), "post").text


def test_half_a_secret_at_the_end_of_what_is_read_is_left_out() -> None:
    tags = b"<%s>" % (b"a" * 62)
    pieces = [tags * 1023 + b" " * 60 + API_KEY[:8].encode(), API_KEY[8:].encode()]
    transport = httpx.MockTransport(lambda _: httpx.Response(400, content=iter(pieces)))
    with pytest.raises(ProviderError) as caught:
        ALL["post"](provider(transport))
    assert API_KEY[:8] not in caught.value.text


def test_of_two_secrets_the_longer_one_goes_first() -> None:
    error = _error(
        raw(400, f"{API_KEY} {API_KEY}.signature"), "post", ipfs_jwt=SecretStr(f"{API_KEY}.signature")
    )
    assert error.text == "[secret] [secret]"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "failure", [httpx.ReadError(f"sent Bearer {API_KEY}, {JWT}"), OSError(f"{API_KEY} {JWT}")], ids=type
)
def test_a_lost_connection_tells_no_secret(name: str, failure: Exception) -> None:
    whole = everything_shown(_error(failure, name))
    assert type(failure).__name__ in whole
    assert API_KEY not in whole
    assert JWT not in whole


def test_no_representation_shows_a_secret() -> None:
    account = provider(StandIn(raw(200)))
    shown = repr(account) + str(account) + repr(vars(account))
    for part in vars(account).values():
        shown += repr(part) + repr(getattr(part, "__dict__", ""))
    assert API_KEY not in shown
    assert JWT not in shown
    assert repr(account) == "NosanaProvider(name='default', api_url='https://api.test')"


@given(
    name=st.sampled_from(sorted(ALL)),
    status=st.integers(300, 599),
    before=st.binary(max_size=50),
    after=st.binary(max_size=50),
)
def test_any_refusal_is_a_provider_error_in_bounds(
    name: str, status: int, before: bytes, after: bytes
) -> None:
    error = _error(raw(status, before + API_KEY.encode() + after), name)
    assert len(error.text) <= 300
    assert error.text.isprintable()
    assert API_KEY not in str(error)
    assert error.status == status
