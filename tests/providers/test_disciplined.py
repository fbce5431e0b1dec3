"""The discipline around a provider: what goes out, what is held back and with which words, what is told."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from dispatcher.domain.cid import Cid
from dispatcher.domain.errors import (
    InsufficientCredits,
    NoAnswer,
    NotSent,
    ProviderError,
    RateLimited,
    StoreUnavailable,
    Unavailable,
    Verdict,
)
from dispatcher.domain.ids import AccountName, IdempotencyKey, MarketAddress, RemoteAddress
from dispatcher.domain.traffic import Change, Limits, Urgency
from dispatcher.ports.provider import Provider
from dispatcher.providers.accounts import Accounts
from dispatcher.providers.disciplined import Apis, Disciplined
from dispatcher.store.memory import MemoryTraffic
from tests.providers.suite import Lab, ProviderSuite
from tests.providers.test_nosana_suite import NosanaLab
from tests.world import START, FakeClock

APIS = Apis("api.test", "pins.test", "gateway.test")
ADDRESS, CID, KEY = RemoteAddress("address"), Cid("cid"), IdempotencyKey("key")
MARKET = MarketAddress("market")

CALLS: dict[str, tuple[Urgency, str, Callable[[Provider], Any]]] = {
    "balance": (Urgency.PREPARE, "api.test", lambda p: p.balance()),
    "market": (Urgency.PREPARE, "api.test", lambda p: p.market("slug")),
    "markets": (Urgency.LOOK, "api.test", lambda p: p.markets()),
    "required_resources": (Urgency.LOOK, "api.test", lambda p: p.required_resources(MARKET)),
    "list_jobs": (Urgency.LOOK, "api.test", lambda p: p.list_jobs(limit=7, offset=14)),
    "pin": (Urgency.PREPARE, "pins.test", lambda p: p.pin(b"{}")),
    "post": (
        Urgency.POST,
        "api.test",
        lambda p: p.post(cid=CID, market=MARKET, seconds=60, node=None, key=KEY),
    ),
    "get": (Urgency.LOOK, "api.test", lambda p: p.get(ADDRESS)),
    "extend": (Urgency.EXTEND, "api.test", lambda p: p.extend(ADDRESS, seconds=60, key=KEY)),
    "stop": (Urgency.STOP, "api.test", lambda p: p.stop(ADDRESS, key=KEY)),
    "result": (Urgency.LOOK, "gateway.test", lambda p: p.result(CID)),
}


class Network:
    """A provider that answers with the operation's name, or raises what it is told to."""

    name = AccountName("lab")

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.fails: Exception | None = None

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.asked]

    def __getattr__(self, operation: str) -> Any:
        if operation not in CALLS:
            raise AttributeError(operation)

        def call(*_: Any, **fields: Any) -> str:
            self.asked.append((operation, fields))
            if self.fails is not None:
                raise self.fails
            return f"{operation} done"

        return call


class Counted(MemoryTraffic):
    """Notes what is asked and told; may be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.admits: list[dict[str, Any]] = []
        self.told = 0
        self.away = ""

    def admit(self, lane: Any, **fields: Any) -> Any:
        self.admits.append({"lane": lane, **fields})
        if self.away == "admit":
            raise StoreUnavailable("the store is away")
        return super().admit(lane, **fields)

    def answered(self, *args: Any, **fields: Any) -> frozenset[Change]:
        self.told += 1
        if self.away == "answered":
            raise StoreUnavailable("the store is away")
        return super().answered(*args, **fields)

    def view(self, *args: Any, **fields: Any) -> Any:
        if self.away == "view":
            raise StoreUnavailable("the store is away")
        return super().view(*args, **fields)


class Bench:
    def __init__(self, *, rate: float = 20, speed: float = 1.0) -> None:
        self.network, self.traffic, self.clock = Network(), Counted(), FakeClock()
        self.clock.speed = speed
        self.provider = Disciplined(
            self.network,  # type: ignore[arg-type]  # its methods come from nowhere
            self.traffic,
            self.clock,
            apis=APIS,
            requests_per_second=rate,
        )

    def call(self, operation: str, provider: Provider | None = None) -> Any:
        return CALLS[operation][2](provider or self.provider)

    def fail(self, operation: str, error: Exception, times: int = 1) -> None:
        self.network.fails = error
        for _ in range(times):
            with pytest.raises(type(error)):
                self.call(operation)
        self.network.fails = None

    def held(self, operation: str, provider: Provider | None = None) -> NotSent:
        """The call is held back; at most the balance is asked for."""
        before = len(self.network.asked)
        with pytest.raises(NotSent) as caught:
            self.call(operation, provider)
        assert self.network.operations[before:] in ([], ["balance"] if operation == "post" else [])
        return caught.value

    def use_up(self, operation: str) -> NotSent:
        """Call until one is held back."""
        for _ in range(100):
            try:
                self.call(operation)
            except NotSent as e:
                return e
        pytest.fail("nothing was held back")


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("operation", CALLS)
def test_every_call_asks_for_its_kind_on_its_api_and_then_goes_out(bench: Bench, operation: str) -> None:
    urgency, api, _ = CALLS[operation]
    assert bench.call(operation) == f"{operation} done"
    (asked,) = bench.traffic.admits
    assert (asked["urgency"], asked["lane"].api, asked["lane"].account) == (urgency, api, "lab")
    assert (asked["now"], asked["limits"], asked["before"]) == (START, Limits.of(20), None)
    assert bench.network.operations == [operation]


def test_keys_and_fields_go_through_untouched(bench: Bench) -> None:
    bench.call("post")
    bench.call("extend")
    assert bench.network.asked == [
        ("post", {"cid": CID, "market": MARKET, "seconds": 60, "node": None, "key": KEY}),
        ("extend", {"seconds": 60, "key": KEY}),
    ]


def test_a_healthy_network_is_told_of_nothing(bench: Bench) -> None:
    for operation in CALLS:
        bench.call(operation)
    assert bench.traffic.told == 0
    bench.fail("get", NoAnswer("get", "cut"))
    assert bench.traffic.told == 1
    bench.call("get")
    assert bench.traffic.told == 2  # good news: the count of failures begins anew
    bench.call("get")
    assert bench.traffic.told == 2


@pytest.mark.parametrize("operation", CALLS)
def test_what_is_held_back_is_not_sent(bench: Bench, operation: str) -> None:
    api = CALLS[operation][1]
    culprit = next(name for name, (_, its_api, _) in CALLS.items() if its_api == api)
    bench.fail(culprit, RateLimited(culprit, "slow down", status=429, retry_after=90))
    held = bench.held(operation)
    assert (held.operation, held.retry_after, held.verdict) == (operation, 90, Verdict.SAME_KEY)
    assert str(held) == (
        f"{operation}: held back: the network asked account lab for a pause until 2027-01-15T08:01:30Z ({api})"
    )
    bench.clock.move(90)
    bench.call(operation)


def test_the_rate_limit_is_named(bench: Bench) -> None:
    held = bench.use_up("get")
    assert len(bench.network.asked) == 20  # of the 40 at once, looks leave half
    assert str(held) == "get: held back: the rate limit of account lab (20 requests a second)"
    assert held.retry_after == pytest.approx(0.05, abs=0.03)
    bench.call("stop")


def test_the_rate_is_the_walls_however_fast_the_clock() -> None:
    bench = Bench(speed=60)
    held = bench.use_up("extend")
    assert len(bench.network.asked) == 40
    assert held.retry_after == pytest.approx(60 / 20)  # a twentieth of a second by the wall
    bench.clock.move(60)
    bench.use_up("extend")
    assert len(bench.network.asked) == 60


class TestBreaker:
    @pytest.fixture(autouse=True)
    def _open(self, bench: Bench) -> None:
        bench.fail("get", Unavailable("get", "down", status=502), times=8)

    def test_posts_and_looks_are_held_and_stops_go_on(self, bench: Bench) -> None:
        for operation in ("post", "balance", "market", "get"):
            held = bench.held(operation)
            assert str(held) == f"{operation}: held back: the network has failed 8 times in a row (api.test)"
            assert held.retry_after == 5
        assert bench.call("pin") == "pin done"
        bench.fail("stop", NoAnswer("stop", "cut"))
        bench.fail("extend", NoAnswer("extend", "cut"))

    def test_a_post_tries_with_the_balance_and_goes_out_the_next_time(self, bench: Bench) -> None:
        bench.clock.move(5)
        bench.network.asked.clear()
        held = bench.held("post")
        assert bench.network.operations == ["balance"]
        assert str(held) == "post: held back: the network is back, this goes out next"
        assert held.retry_after == 0.05
        assert bench.call("post") == "post done"

    def test_a_post_whose_try_fails_waits_for_the_next_cool_down(self, bench: Bench) -> None:
        bench.clock.move(5)
        bench.network.asked.clear()
        bench.network.fails = NoAnswer("balance", "cut")
        held = bench.held("post")
        assert bench.network.operations == ["balance"]
        assert held.retry_after == 10
        assert str(held) == "post: held back: the network has failed 9 times in a row (api.test)"
        bench.held("post")
        assert bench.network.operations == ["balance"]

    def test_a_refusal_is_an_answer_and_closes_it(self, bench: Bench) -> None:
        bench.clock.move(5)
        bench.fail("balance", InsufficientCredits("balance", "none", status=402))
        assert bench.call("post") == "post done"


@pytest.mark.parametrize("kind", ["answered", "view"])
def test_an_answer_is_not_lost_because_the_traffic_cannot_be_told(bench: Bench, kind: str) -> None:
    bench.fail("get", NoAnswer("get", "cut"), times=8)
    bench.traffic.away = kind
    with capture_logs() as logs:
        assert bench.call("stop") == "stop done"
    assert [line["event"] for line in logs] == ["traffic_not_told"]


def test_nothing_goes_out_if_the_traffic_cannot_be_asked(bench: Bench) -> None:
    bench.traffic.away = "admit"
    with pytest.raises(StoreUnavailable):
        bench.call("post")
    assert bench.network.asked == []


def test_changes_are_logged_once(bench: Bench) -> None:
    with capture_logs() as logs:
        bench.fail("get", NoAnswer("get", "cut"), times=8)
        bench.call("stop")
        bench.call("stop")
        bench.fail("get", RateLimited("get", "slow", status=429, retry_after=30))
    assert logs == [
        {
            "event": "breaker_opened",
            "api": "api.test",
            "failures": 8,
            "until": "2027-01-15T08:00:05Z",
            "log_level": "warning",
        },
        {"event": "breaker_closed", "api": "api.test", "log_level": "info"},
        {
            "event": "account_paused",
            "account": "lab",
            "api": "api.test",
            "until": "2027-01-15T08:00:30Z",
            "log_level": "warning",
        },
    ]


def test_accounts_hand_on_by_when_a_call_must_have_landed(bench: Bench) -> None:
    accounts = Accounts({AccountName("lab"): bench.provider})
    hurried = accounts.account(AccountName("lab"), before=START + 40)
    bench.fail("get", RateLimited("get", "slow", status=429, retry_after=3600))
    assert bench.held("extend").retry_after == 300
    assert bench.held("extend", hurried).retry_after == 20
    assert bench.held("get", hurried).retry_after == 3600
    assert accounts.account(AccountName("lab")) is bench.provider
    assert accounts.disciplined() == (bench.provider,)


def test_what_is_no_error_of_the_networks_is_not_told(bench: Bench) -> None:
    bench.fail("pin", RuntimeError("no token"))
    assert bench.traffic.told == 0


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://dashboard.k8s.prd.nos.ci", "dashboard.k8s.prd.nos.ci"),
        ("http://127.0.0.1:8080/api/", "127.0.0.1:8080"),
        ("https://Example.test/ipfs/", "example.test"),
    ],
)
def test_an_api_is_a_host_with_its_port(url: str, api: str) -> None:
    assert Apis.at(url, url, url) == Apis(api, api, api)


def test_lanes_show_without_asking_the_network(bench: Bench) -> None:
    bench.call("stop")
    (calls, seen), (pins, _), (results, _) = bench.provider.lanes()
    assert (calls.api, pins.api, results.api) == ("api.test", "pins.test", "gateway.test")
    assert (seen.available, seen.breaker(START)) == (39, "closed")
    bench.fail("get", NoAnswer("get", "cut"), times=8)
    seen = bench.provider.lanes()[0][1]
    assert [seen.breaker(START + at) for at in (0, 4.9, 5)] == ["open", "open", "half-open"]
    assert bench.network.operations.count("balance") == 0


def test_an_error_is_passed_on_as_it_is(bench: Bench) -> None:
    error = ProviderError("get", "no", status=418)
    bench.network.fails = error
    with pytest.raises(ProviderError) as caught:
        bench.call("get")
    assert caught.value is error


class DisciplinedLab(NosanaLab):
    """The same network, seen through the discipline."""

    def _account(self, name: str) -> Any:
        account = super()._account(name)
        return Disciplined(account, MemoryTraffic(), FakeClock(), apis=APIS, requests_per_second=1000)


class TestDisciplinedNosana(ProviderSuite):
    """Whatever a provider promises, it promises behind the discipline, too."""

    @pytest.fixture
    def lab(self) -> Lab:
        return DisciplinedLab()
