"""The provider for Nosana against the simulated network: the common suite, and what is particular to Nosana."""

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from dispatcher.domain import errors as e
from dispatcher.domain.cid import NULL_CID, Cid
from dispatcher.domain.ids import AccountName, IdempotencyKey, MarketAddress, ProjectAddress, RemoteAddress
from dispatcher.domain.words import Phase
from dispatcher.ports.provider import PostedJob, Provider
from dispatcher.providers.nosana import NosanaProvider
from dispatcher.simulator.fault_plan import parse_plan
from dispatcher.simulator.network import Network, Options
from dispatcher.simulator.transport import SimulatedTransport
from tests.providers.suite import Lab, ProviderSuite, key

START = 1_800_000_000.0
FIRST = key(1)


class NosanaLab:
    """The simulated network on a clock of the test's own."""

    slug = "nvidia-3060"
    unknown_job = RemoteAddress("DrRBsFXmzhJeu7ak4EDmbxLqoJQExzYDxES2wBkgzQAq")
    unknown_cid = Cid("QmdZX5QPxKncoo9HRjSpXVZcgsgYXWoa2WbY4sGses3Agx")

    def __init__(self, options: Options | None = None, faults: list[dict[str, Any]] | None = None) -> None:
        self.at = START
        self.network = Network(
            lambda: self.at,
            7,
            accounts={"nos_rich": 50, "nos_poor": Decimal("0.0005") * 2},
            ipfs_jwt="jwt_of_lab",
            options=options,
            faults=faults or [],
        )
        self.provider: Provider = self._account("rich")
        self.poor: Provider = self._account("poor")
        self.stranger: Provider = self._account("stranger")

    def _account(self, name: str) -> NosanaProvider:
        return NosanaProvider(
            name=AccountName(name),
            api_key=SecretStr(f"nos_{name}"),
            api_url="http://network.test",
            ipfs_api_url="http://network.test",
            ipfs_gateway_url="http://network.test/ipfs",
            ipfs_jwt=SecretStr("jwt_of_lab"),
            transport=SimulatedTransport(self.network, waited=self.wait),
        )

    def definition(self, *, queued_for: int, runs_for: int, exit_code: int = 0) -> bytes:
        simulated = {
            "queued_for": queued_for,
            "runs_for": runs_for,
            "exit_code": exit_code,
            "results_after": 0,
        }
        document = {
            "version": "0.1",
            "type": "container",
            "meta": {"trigger": "test", "simulated": simulated},
            "ops": [{"type": "container/run", "id": "main", "args": {"image": "ubuntu", "cmd": "echo ✓"}}],
        }
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()

    def wait(self, seconds: float) -> None:
        self.at += seconds

    def lose_the_next_answer(self) -> None:
        self.strike({"route": "jobs.*", "kind": "lose_answer", "times": 1})

    def lists(self) -> None:
        account = self.network.accounts.of_key("nos_rich")
        assert account is not None
        self.provider.learn_project(ProjectAddress(account.project))

    def strike(self, *faults: dict[str, Any]) -> None:
        self.network.faults.replace(parse_plan(list(faults)))

    def jobs(self) -> int:
        return len(self.network.jobs)

    def post(
        self, *, key_: IdempotencyKey = FIRST, queued_for: int = 0, runs_for: int = 300, seconds: int = 600
    ) -> PostedJob:
        cid = self.provider.pin(self.definition(queued_for=queued_for, runs_for=runs_for))
        market = self.provider.market(self.slug).address
        return self.provider.post(cid=cid, market=market, seconds=seconds, node=None, key=key_)


class TestNosana(ProviderSuite):
    @pytest.fixture
    def lab(self) -> Lab:
        return NosanaLab()


def test_a_job_may_be_for_one_host_alone() -> None:
    lab = NosanaLab()
    market = lab.provider.market(lab.slug).address
    host = lab.network.hosts(market)[3]
    cid = lab.provider.pin(lab.definition(queued_for=0, runs_for=300))
    posted = lab.provider.post(cid=cid, market=market, seconds=600, node=host, key=key(1))
    lab.wait(10)
    assert lab.provider.get(posted.address).node == host


@pytest.mark.parametrize("slug", ["unpriced", "mispriced"])
def test_a_market_without_a_usable_price_has_none_and_takes_no_credits(slug: str) -> None:
    lab = NosanaLab()
    market = lab.provider.market(slug)
    assert market.rate_per_hour is None
    with pytest.raises(e.Forbidden):
        lab.provider.post(cid=lab.unknown_cid, market=market.address, seconds=600, node=None, key=key(1))


def test_a_market_that_nobody_has_is_not_found_by_address_either() -> None:
    with pytest.raises(e.NotFound):
        NosanaLab().provider.market(NosanaLab.unknown_job)
    with pytest.raises(e.NotFound):
        NosanaLab().provider.required_resources(MarketAddress(NosanaLab.unknown_job))


def test_a_record_that_the_index_has_not_filled_in_yet() -> None:
    lab = NosanaLab(Options(filled_after=60, visible_after=10, null_result=NULL_CID, definition_as_text=True))
    posted = lab.post()
    with pytest.raises(e.NotFound):
        lab.provider.get(posted.address)
    lab.wait(20)
    shown = lab.provider.get(posted.address)
    assert (shown.usd_per_hour, shown.result_cid) == (None, None)
    lab.wait(600)
    shown = lab.provider.get(posted.address)
    assert shown.usd_per_hour == Decimal("0.0436")
    assert shown.status == "success"
    assert shown.result_cid is not None


def test_a_host_that_quits() -> None:
    lab = NosanaLab(faults=[{"route": "jobs.list", "kind": "host_quits", "seconds": 60}])
    posted = lab.post()
    lab.wait(120)
    shown = lab.provider.get(posted.address)
    assert shown.phase is Phase.HOST_QUIT
    assert shown.result_cid is not None
    report = lab.provider.result(shown.result_cid).report
    assert (report.host_quit, report.status) == (True, "failed")
    assert "quit" in report.detail


def test_a_definition_that_the_host_refuses_is_reported_with_its_faults() -> None:
    lab = NosanaLab()
    cid = lab.provider.pin(
        b'{"version":"0.1","type":"container","ops":[{"type":"container/run","id":"a","args":{}}]}'
    )
    market = lab.provider.market(lab.slug).address
    posted = lab.provider.post(cid=cid, market=market, seconds=600, node=None, key=key(1))
    lab.wait(120)
    shown = lab.provider.get(posted.address)
    assert shown.result_cid is not None
    report = lab.provider.result(shown.result_cid).report
    assert (report.status, report.exit_code) == ("validation-error", None)
    assert "image" in report.detail


def test_a_key_that_is_still_being_worked_on() -> None:
    lab = NosanaLab(faults=[{"route": "jobs.list", "kind": "in_progress", "seconds": 5}])
    with pytest.raises(e.KeyInProgress) as caught:
        lab.post()
    assert caught.value.retry_after == 5
    lab.wait(5)
    assert lab.post().amount > 0
    assert lab.jobs() == 1


def test_a_key_that_expired_had_no_effect_and_the_next_one_has() -> None:
    lab = NosanaLab(faults=[{"route": "jobs.list", "kind": "expire_key", "times": 1}])
    for _ in range(2):
        with pytest.raises(e.KeyExpired):
            lab.post()
    assert lab.jobs() == 0
    lab.post(key_=IdempotencyKey("job_01:post:1:2"))
    assert lab.jobs() == 1


def test_an_answer_that_comes_too_late_is_no_answer() -> None:
    lab = NosanaLab(faults=[{"route": "jobs.list", "kind": "slow", "seconds": 100, "times": 1}])
    with pytest.raises(e.NoAnswer):
        lab.post(runs_for=600)
    assert lab.at == START + 20, "the read timeout"
    lab.post(runs_for=600)
    assert lab.jobs() == 1


@pytest.mark.parametrize("retry_after", [7, "Thu, 01 Jan 2099 00:00:00 GMT"])
def test_a_rate_limit(retry_after: int | str) -> None:
    lab = NosanaLab(faults=[{"route": "jobs.get", "kind": "rate_limit", "retry_after": retry_after}])
    with pytest.raises(e.RateLimited) as caught:
        lab.provider.get(lab.unknown_job)
    # The simulated server sends no Date header, and without one a date says nothing.
    assert caught.value.retry_after == (7 if retry_after == 7 else None)


@pytest.mark.parametrize("negative", ["$-5.000", "-$5.000"])
def test_an_account_below_zero(negative: Any) -> None:
    lab = NosanaLab(
        Options(negative_credit=negative), [{"route": "jobs.list", "kind": "drop_credit", "to": -5}]
    )
    with pytest.raises(e.InsufficientCredits) as caught:
        lab.post()
    assert (caught.value.available, caught.value.required) == (Decimal(-5), Decimal("0.008"))
    assert lab.provider.balance().available == -5


def test_the_second_generation_of_the_api() -> None:
    """No keys and no `outcome`: what it says is understood, and a job that is over is refused by status."""
    lab = NosanaLab(Options(generation=2))
    queued = lab.post(queued_for=600)
    assert lab.provider.stop(queued.address, key=key(1, "stop")).outcome == "delisted"
    running = lab.post(runs_for=600)
    lab.wait(60)
    assert lab.provider.stop(running.address, key=key(2, "stop")).outcome == "ended"
    with pytest.raises(e.Refused, match="finished"):
        lab.provider.stop(running.address, key=key(3, "stop"))
    with pytest.raises(e.Refused, match="finished"):
        lab.provider.extend(running.address, seconds=60, key=key(1, "extend"))


@pytest.mark.parametrize("generation", [2, 3])
def test_what_the_index_does_not_show_yet_is_not_listed(generation: Any) -> None:
    lab = NosanaLab(Options(generation=generation, visible_after=60))
    lab.lists()
    posted = lab.post(queued_for=600)
    lab.wait(59)
    assert lab.provider.list_jobs() == ()
    with pytest.raises(e.NotFound):
        lab.provider.get(posted.address)
    lab.wait(1)
    assert [each.address for each in lab.provider.list_jobs()] == [posted.address]


def test_nobody_elses_jobs_are_listed() -> None:
    lab = NosanaLab()
    lab.post(queued_for=600)
    account = lab.network.accounts.of_key("nos_poor")
    assert account is not None
    lab.poor.learn_project(ProjectAddress(account.project))
    assert lab.poor.list_jobs() == ()
    lab.lists()
    assert len(lab.provider.list_jobs()) == 1
