"""What good answers about money, markets and pins are read as, and that nothing in them is guessed."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.errors import MalformedAnswer, NotFound
from dispatcher.ports.provider import Balance
from dispatcher.providers.nosana import answers
from dispatcher.providers.nosana.reading import Unreadable, read_document, read_json
from tests.providers.operations import ALL
from tests.providers.records import CREDITS, MISSING, changed, job_record, market_record
from tests.providers.stand_in import ADDRESS, CID, MARKET, NODE, StandIn, asked, good, provider, raw

# --- balance


def test_a_balance_is_exact() -> None:
    body = b'{"assignedCredits":100.5,"reservedCredits":0.30000000000000004,"settledCredits":74.595,"x":1}'
    found = asked(ALL["balance"], raw(200, body))
    assert found == Balance(Decimal("100.5"), Decimal("0.3"), Decimal("74.595"))
    assert found.available == Decimal("25.605")


@pytest.mark.parametrize("wrong", [MISSING, None, "50", True, [], 1e10])
def test_a_balance_without_a_number_is_malformed(wrong: Any) -> None:
    fields = {"assignedCredits": 50, "reservedCredits": 0, "settledCredits": 0}
    with pytest.raises(MalformedAnswer, match="reservedCredits"):
        asked(ALL["balance"], good(changed(fields, reservedCredits=wrong)))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999999999999999999999", "9" * 5000])
def test_what_is_no_finite_number_is_malformed(number: str) -> None:
    body = f'{{"assignedCredits":{number},"reservedCredits":0,"settledCredits":0}}'
    with pytest.raises(MalformedAnswer):
        asked(ALL["balance"], raw(200, body))


# --- markets


def test_amarket_record() -> None:
    found = asked(ALL["market"], good(market_record()))
    assert (found.address, found.slug, found.name, found.kind) == (
        MARKET,
        "nvidia-3060",
        "NVIDIA 3060",
        "PREMIUM",
    )
    assert (found.usd_per_hour, found.fee_percent) == (Decimal("0.0436"), Decimal(10))
    assert found.rate_per_hour == Decimal("0.04796")
    assert (found.gpu_types, found.lowest_vram) == (("NVIDIA GeForce RTX 3060",), 12)


@pytest.mark.parametrize("price", [MISSING, None, "0.0436", "N/A", True, 0, -0.5, [], {}, 1e30])
def test_a_price_that_cannot_be_used_is_none(price: Any) -> None:
    found = asked(ALL["market"], good(market_record(usd_reward_per_hour=price)))
    assert found.usd_per_hour is None
    assert found.rate_per_hour is None


@pytest.mark.parametrize("fee", [MISSING, None, "10", True, -1])
def test_without_a_fee_there_is_no_price(fee: Any) -> None:
    assert asked(ALL["market"], good(market_record(network_fee_percentage=fee))).rate_per_hour is None


def test_a_fee_of_nothing_is_a_fee() -> None:
    found = asked(ALL["market"], good(market_record(network_fee_percentage=0)))
    assert found.rate_per_hour == Decimal("0.0436")


@pytest.mark.parametrize("address", [MISSING, None, "x", MARKET[:-1] + "0", ADDRESS])
def test_the_market_must_be_the_one_that_was_asked_for(address: Any) -> None:
    with pytest.raises(MalformedAnswer):
        asked(ALL["market"], good(market_record(address=address)))


def test_words_that_are_missing_are_empty() -> None:
    bare = {"address": MARKET, "gpu_types": "none", "lowest_vram": "12"}
    found = asked(ALL["market"], good(bare))
    assert (found.slug, found.name, found.kind, found.gpu_types, found.lowest_vram) == ("", "", "", (), None)


def test_one_broken_market_does_not_hide_the_others() -> None:
    found = asked(ALL["markets"], good([market_record(address=None), None, market_record(slug="other")]))
    assert [market.slug for market in found] == ["other"]
    assert asked(ALL["markets"], good([])) == ()


@pytest.mark.parametrize("value", [{}, None, "x", [market_record(address=None)], {"markets": []}])
def test_a_list_of_markets_must_be_one(value: Any) -> None:
    with pytest.raises(MalformedAnswer):
        asked(ALL["markets"], good(value))


def test_a_slug_is_found_in_the_list_or_not_at_all() -> None:
    network = StandIn(good([market_record(slug="a"), market_record(address=NODE, slug="b")]))
    assert provider(network).market("b").address == NODE
    assert [request.url.path for request in network.requests] == ["/api/markets/"]
    with pytest.raises(NotFound, match="'c'"):
        provider(network).market("c")


def test_required_resources() -> None:
    resource = {"type": "Ollama", "model": "llama3.1", "size": 1.5}
    found = asked(
        ALL["required_resources"],
        good({"required_images": ["a", 1], "required_remote_resources": [resource, None]}),
    )
    assert found.images == ("a",)
    assert found.remote_resources == (resource,)
    json.dumps(found.remote_resources)  # no Decimal in it
    for name in ("required_images", "required_remote_resources"):
        answer: dict[str, Any] = {"required_images": [], "required_remote_resources": []}
        with pytest.raises(MalformedAnswer, match=name):
            asked(ALL["required_resources"], good(changed(answer, **{name: MISSING})))


# --- pin


def test_a_pin_must_be_of_these_very_bytes() -> None:
    assert asked(ALL["pin"], good({"IpfsHash": CID, "PinSize": 158})) == CID
    other = "QmbJWAESqCsf4RFCqEY7jecCashj8usXiyDNfKtZCwwzGb"
    with pytest.raises(MalformedAnswer) as caught:
        asked(ALL["pin"], good({"IpfsHash": other}))
    assert other in str(caught.value)
    assert CID in str(caught.value)


@pytest.mark.parametrize(
    "value", [{}, [], "x", {"IpfsHash": None}, {"IpfsHash": CID[:-1]}, {"IpfsHash": "bafy"}]
)
def test_a_pin_without_a_cid_is_malformed(value: Any) -> None:
    with pytest.raises(MalformedAnswer):
        asked(ALL["pin"], good(value))


def test_a_document_is_pinned_as_it_is() -> None:
    document = '{"é": "✓",\n "n": 1.0}'.encode()
    network = StandIn(good({"IpfsHash": CID}))
    with pytest.raises(MalformedAnswer):
        provider(network).pin(document)
    assert network.requests[0].content == document


# --- any answer at all

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
_READERS = [
    answers.balance,
    answers.markets,
    answers.market,
    answers.required_resources,
    answers.pinned,
    answers.posted,
    answers.extended,
    answers.stopped,
    answers.remote_job,
]


@given(
    base=st.sampled_from([market_record(), job_record(), {"job": ADDRESS, "credits": CREDITS}]),
    data=st.data(),
)
def test_whatever_comes_is_read_or_refused(base: dict[str, Any], data: st.DataObject) -> None:
    value = dict(base)
    for name in data.draw(st.lists(st.sampled_from(sorted(base)), max_size=3)):
        value[name] = data.draw(_JSON)
    body = json.dumps(data.draw(st.sampled_from([value, [value], data.draw(_JSON)]))).encode()
    for reader in _READERS:
        try:
            reader(read_json(body))
        except Unreadable:
            continue


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | _JSON.map(lambda v: json.dumps(v).encode())
)
def test_whatever_is_decoded_can_be_stored(body: bytes) -> None:
    try:
        document = read_document(body)
    except Unreadable:
        return
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize("body", [b"[1e999]", b"[-1e999]", b"[NaN]", b"[Infinity]"])
def test_a_document_with_a_number_that_no_json_can_hold_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_document(body)


def test_half_a_character_is_replaced_and_whole_ones_are_kept() -> None:
    assert read_document(rb'["\ud83d cut", "\ud83d\ude00 whole", {"\udc00": 1.5}]') == [
        "? cut",
        "😀 whole",
        {"?": 1.5},
    ]
