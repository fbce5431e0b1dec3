"""An answer that comes drop by drop holds no worker: after a while it is no answer."""

from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from dispatcher.domain.errors import NoAnswer
from dispatcher.domain.ids import AccountName
from dispatcher.providers.nosana import NosanaProvider


class Drops(httpx.SyncByteStream):
    """A body of many pieces; each takes `every` seconds of a clock that only this moves."""

    def __init__(self, body: bytes, every: float) -> None:
        self._body, self._every, self.at, self.sent = body, every, 0.0, 0

    def __iter__(self) -> Iterator[bytes]:
        for byte in self._body:
            self.at += self._every
            self.sent += 1
            yield bytes([byte])


@pytest.mark.parametrize(("every", "whole"), [(0.5, True), (19, False)])
def test_an_answer_has_to_be_whole_in_a_minute(every: float, whole: bool) -> None:
    drops = Drops(b'{"assignedCredits": 1, "reservedCredits": 0, "settledCredits": 0}', every)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=drops))
    provider = NosanaProvider(
        name=AccountName("default"),
        api_key=SecretStr("nos_key"),
        api_url="http://network.test",
        ipfs_api_url="http://network.test",
        ipfs_gateway_url="http://network.test/ipfs/",
        ipfs_jwt=None,
        transport=transport,
        monotonic=lambda: drops.at,
    )
    if whole:
        assert provider.balance().available == 1
        return
    with pytest.raises(NoAnswer, match="was not whole after 60 s"):
        provider.balance()
    assert drops.sent == 4
