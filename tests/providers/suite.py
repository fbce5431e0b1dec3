"""What every provider must do, whatever its network: the promises of the `Provider` protocol, one by one.

For a new network, write a `Lab` over a simulation of it, and subclass:

    class TestMine(ProviderSuite):
        @pytest.fixture
        def lab(self) -> Lab:
            return MyLab()

No test sleeps or looks at a clock; the lab's `wait` moves the network's time.
"""

from decimal import Decimal
from typing import Protocol

import pytest

from dispatcher.domain import errors as e
from dispatcher.domain.cid import Cid, cid_of
from dispatcher.domain.errors import Verdict
from dispatcher.domain.ids import IdempotencyKey, MarketAddress, RemoteAddress
from dispatcher.domain.money import price
from dispatcher.domain.words import Phase
from dispatcher.ports.provider import ExtendedJob, Market, PostedJob, Provider, RemoteJob

MINUTE = 60


class Lab(Protocol):
    """A network under control."""

    @property
    def provider(self) -> Provider:
        """An account with at least 10 US dollars; nothing was ever posted with it."""
        ...

    @property
    def poor(self) -> Provider:
        """An account with less than a minute's price, but more than nothing."""
        ...

    @property
    def stranger(self) -> Provider:
        """An account whose credential the network does not know."""
        ...

    @property
    def slug(self) -> str:
        """A market with a price and with hosts."""
        ...

    @property
    def unknown_job(self) -> RemoteAddress:
        """Well formed, but no job's."""
        ...

    @property
    def unknown_cid(self) -> Cid:
        """Well formed, but pinned by nobody."""
        ...

    def definition(self, *, queued_for: int, runs_for: int, exit_code: int = 0) -> bytes:
        """Compact JSON of a job that waits and runs for so many seconds; its result is there when it ends."""
        ...

    def wait(self, seconds: float) -> None:
        """Let the network's time go by."""
        ...

    def lose_the_next_answer(self) -> None:
        """The next write is done, and its answer lost on the way back."""
        ...

    def lists(self) -> None:
        """From now on `provider` can list its jobs (`capabilities.finds`)."""
        ...

    def jobs(self) -> int:
        """How many jobs were ever posted to the network."""
        ...


def key(ordinal: int, operation: str = "post") -> IdempotencyKey:
    """A key as the engine makes them."""
    return IdempotencyKey(f"job_01:{operation}:{ordinal}:1")


class ProviderSuite:
    """Subclass it with a fixture `lab`."""

    @pytest.fixture
    def provider(self, lab: Lab) -> Provider:
        return lab.provider

    @pytest.fixture
    def market(self, lab: Lab) -> Market:
        return lab.provider.market(lab.slug)

    # --- what can be asked

    def test_it_has_a_name_and_says_what_it_can(self, provider: Provider) -> None:
        assert provider.name
        assert isinstance(provider.capabilities.idempotency_keys, bool)

    def test_a_fresh_account_has_all_its_credits(self, provider: Provider) -> None:
        balance = provider.balance()
        assert balance.reserved == balance.settled == 0
        assert balance.available == balance.assigned >= 10

    def test_a_market_is_the_same_by_slug_by_address_and_in_the_list(
        self, lab: Lab, provider: Provider, market: Market
    ) -> None:
        assert market.slug == lab.slug
        assert market.rate_per_hour is not None
        assert market.rate_per_hour > 0
        assert provider.market(market.address) == market
        markets = provider.markets()
        assert market in markets
        assert len({each.address for each in markets}) == len(markets)

    def test_a_market_that_is_not_there(self, provider: Provider) -> None:
        with pytest.raises((e.NotFound, e.Refused)):
            provider.market("no-such-market")

    def test_required_resources_are_told(self, provider: Provider, market: Market) -> None:
        needed = provider.required_resources(market.address)
        assert all(isinstance(image, str) for image in needed.images)

    def test_what_nobody_knows_is_not_found(self, lab: Lab, provider: Provider) -> None:
        with pytest.raises(e.NotFound):
            provider.get(lab.unknown_job)
        with pytest.raises(e.NotFound):
            provider.result(lab.unknown_cid)
        with pytest.raises(e.NotFound):
            provider.extend(lab.unknown_job, seconds=60, key=key(1, "extend"))
        with pytest.raises(e.NotFound):
            provider.stop(lab.unknown_job, key=key(1, "stop"))

    # --- pinning

    def test_a_pin_has_the_cid_of_its_bytes_each_time(self, lab: Lab, provider: Provider) -> None:
        document = lab.definition(queued_for=0, runs_for=60)
        assert provider.pin(document) == provider.pin(document) == cid_of(document)

    # --- the life of a job

    def test_a_posted_job_is_reserved_at_its_price_and_shown(
        self, lab: Lab, provider: Provider, market: Market
    ) -> None:
        before = provider.balance()
        posted = self._post(lab, market, seconds=30 * MINUTE, queued_for=60)
        assert posted.amount == price(_rate(market), 30 * MINUTE)
        after = provider.balance()
        assert after.reserved == before.reserved + posted.amount
        assert after.available == before.available - posted.amount
        shown = provider.get(posted.address)
        assert (shown.phase, shown.timeout, shown.node) == (Phase.QUEUED, 30 * MINUTE, None)
        assert (shown.started_at, shown.ended_at, shown.result_cid) == (None, None, None)
        assert shown.market == market.address
        assert shown.usd_per_hour == market.usd_per_hour

    def test_a_job_that_a_host_took_shows_host_and_time(self, lab: Lab, market: Market) -> None:
        posted = self._post(lab, market, queued_for=30, runs_for=20 * MINUTE)
        lab.wait(60)
        shown = lab.provider.get(posted.address)
        assert shown.phase is Phase.RUNNING
        assert shown.node
        assert shown.started_at is not None
        assert shown.ended_at is None

    @pytest.mark.parametrize(("exit_code", "status"), [(0, "success"), (3, "failed")])
    def test_a_job_ends_reports_and_costs_what_it_ran(
        self, lab: Lab, market: Market, exit_code: int, status: str
    ) -> None:
        posted = self._post(lab, market, seconds=30 * MINUTE, runs_for=5 * MINUTE, exit_code=exit_code)
        shown = self._ended(lab, posted, 6 * MINUTE)
        assert shown.phase is Phase.DONE
        assert shown.started_at is not None
        assert shown.ended_at == shown.started_at + 5 * MINUTE
        assert shown.result_cid is not None
        result = lab.provider.result(shown.result_cid)
        assert (result.report.status, result.report.exit_code) == (status, exit_code)
        report = result.report
        assert (report.expired, report.stopped, report.host_quit) == (False, False, False)
        balance = lab.provider.balance()
        assert balance.reserved == 0
        assert balance.settled == price(_rate(market), 5 * MINUTE) < posted.amount

    def test_a_job_that_runs_out_of_time_says_so(self, lab: Lab, market: Market) -> None:
        posted = self._post(lab, market, seconds=10 * MINUTE, runs_for=60 * MINUTE)
        shown = self._ended(lab, posted, 11 * MINUTE)
        assert shown.phase is Phase.DONE
        assert shown.started_at is not None
        assert shown.ended_at == shown.started_at + 10 * MINUTE
        assert shown.result_cid is not None
        report = lab.provider.result(shown.result_cid).report
        assert (report.expired, report.stopped, report.host_quit) == (True, False, False)
        assert lab.provider.balance().settled == posted.amount

    # --- extending

    def test_an_extension_adds_time_and_reserves_its_price(self, lab: Lab, market: Market) -> None:
        posted = self._post(lab, market, seconds=10 * MINUTE, runs_for=60 * MINUTE)
        lab.wait(MINUTE)
        extended = lab.provider.extend(posted.address, seconds=5 * MINUTE, key=key(1, "extend"))
        assert extended.landed
        assert extended.amount == price(_rate(market), 5 * MINUTE)
        assert lab.provider.get(posted.address).timeout == 15 * MINUTE
        assert lab.provider.balance().reserved == posted.amount + extended.amount
        shown = self._ended(lab, posted, 16 * MINUTE)
        assert shown.started_at is not None
        assert shown.ended_at == shown.started_at + 15 * MINUTE

    def test_a_job_that_is_over_is_not_extended_and_nothing_is_paid(self, lab: Lab, market: Market) -> None:
        posted = self._post(lab, market)
        self._ended(lab, posted, 10 * MINUTE)
        before = lab.provider.balance()
        late = lab.provider.extend(posted.address, seconds=5 * MINUTE, key=key(1, "extend"))
        assert late == ExtendedJob(amount=Decimal(0), landed=False)
        assert lab.provider.balance() == before

    # --- stopping

    def test_a_queued_job_is_taken_off_for_nothing(self, lab: Lab, market: Market) -> None:
        posted = self._post(lab, market, queued_for=60 * MINUTE)
        assert lab.provider.stop(posted.address, key=key(1, "stop")).outcome == "delisted"
        with pytest.raises(e.NotFound):
            lab.provider.get(posted.address)
        balance = lab.provider.balance()
        assert balance.reserved == balance.settled == 0

    def test_a_running_job_is_ended_and_costs_what_it_ran(self, lab: Lab, market: Market) -> None:
        posted = self._post(lab, market, seconds=30 * MINUTE, queued_for=0, runs_for=60 * MINUTE)
        lab.wait(10 * MINUTE)
        assert lab.provider.stop(posted.address, key=key(1, "stop")).outcome == "ended"
        shown = self._ended(lab, posted, MINUTE)
        assert shown.phase is Phase.DONE
        assert shown.started_at is not None
        assert shown.ended_at is not None
        assert shown.result_cid is not None
        report = lab.provider.result(shown.result_cid).report
        assert (report.expired, report.stopped, report.host_quit) == (False, True, False)
        ran = shown.ended_at - shown.started_at
        assert lab.provider.balance().settled == price(_rate(market), ran)
        assert ran <= 10 * MINUTE

    def test_a_job_that_is_over_is_left_alone(self, lab: Lab, market: Market) -> None:
        posted = self._post(lab, market)
        before = self._ended(lab, posted, 10 * MINUTE)
        assert lab.provider.stop(posted.address, key=key(1, "stop")).outcome == "already_terminal"
        assert lab.provider.get(posted.address) == before

    # --- keys

    def test_the_same_call_under_the_same_key_has_one_effect(self, lab: Lab, market: Market) -> None:
        cid = lab.provider.pin(lab.definition(queued_for=0, runs_for=60 * MINUTE))
        first, again = (_post(lab.provider, cid, market, 10 * MINUTE, key(1)) for _ in range(2))
        assert again == first
        assert lab.jobs() == 1
        one, two = (
            lab.provider.extend(first.address, seconds=5 * MINUTE, key=key(1, "extend")) for _ in range(2)
        )
        assert two == one
        assert lab.provider.get(first.address).timeout == 15 * MINUTE
        assert lab.provider.balance().reserved == first.amount + one.amount
        lab.wait(MINUTE)
        stops = [lab.provider.stop(first.address, key=key(1, "stop")) for _ in range(2)]
        assert stops[0] == stops[1]
        assert stops[0].outcome == "ended"

    def test_another_key_is_another_job(self, lab: Lab, market: Market) -> None:
        cid = lab.provider.pin(lab.definition(queued_for=0, runs_for=MINUTE))
        first, second = (_post(lab.provider, cid, market, 10 * MINUTE, key(n)) for n in (1, 2))
        assert first.address != second.address
        assert lab.jobs() == 2

    def test_a_key_stands_for_one_payload(self, lab: Lab, market: Market) -> None:
        cid = lab.provider.pin(lab.definition(queued_for=0, runs_for=MINUTE))
        _post(lab.provider, cid, market, 10 * MINUTE, key(1))
        with pytest.raises(e.KeyMismatch) as caught:
            _post(lab.provider, cid, market, 11 * MINUTE, key(1))
        assert caught.value.verdict is Verdict.FINAL
        assert lab.jobs() == 1

    def test_a_lost_answer_is_had_by_asking_again(self, lab: Lab, market: Market) -> None:
        cid = lab.provider.pin(lab.definition(queued_for=0, runs_for=60 * MINUTE))
        lab.lose_the_next_answer()
        with pytest.raises(e.NoAnswer) as caught:
            _post(lab.provider, cid, market, 10 * MINUTE, key(1))
        assert caught.value.verdict is Verdict.SAME_KEY
        assert lab.jobs() == 1
        posted = _post(lab.provider, cid, market, 10 * MINUTE, key(1))
        assert lab.jobs() == 1
        assert lab.provider.get(posted.address).timeout == 10 * MINUTE
        assert lab.provider.balance().reserved == posted.amount

    # --- lists

    def test_jobs_are_listed_once_it_is_known_whose(self, lab: Lab, market: Market) -> None:
        assert not lab.provider.capabilities.finds
        with pytest.raises(e.SettingsError):
            lab.provider.list_jobs()
        lab.lists()
        assert lab.provider.capabilities.finds
        assert lab.provider.list_jobs() == ()
        ended = self._post(lab, market, runs_for=MINUTE)
        lab.wait(2 * MINUTE)
        running, queued, taken_off = (
            _post(lab.provider, lab.provider.pin(document), market, 30 * MINUTE, key(n))
            for n, document in enumerate(
                [
                    lab.definition(queued_for=0, runs_for=20 * MINUTE),
                    lab.definition(queued_for=60 * MINUTE, runs_for=MINUTE),
                    lab.definition(queued_for=70 * MINUTE, runs_for=MINUTE),
                ],
                start=2,
            )
        )
        lab.wait(MINUTE)
        lab.provider.stop(taken_off.address, key=key(1, "stop"))
        found = lab.provider.list_jobs()
        assert [(each.address, each.phase) for each in found] == [
            (running.address, Phase.RUNNING),
            (ended.address, Phase.DONE),
            (queued.address, Phase.QUEUED),
        ]
        for each in found:
            shown = lab.provider.get(each.address)
            assert each.cid == shown.cid is not None
            assert (each.timeout, each.started_at, each.ended_at, each.market) == (
                shown.timeout,
                shown.started_at,
                shown.ended_at,
                market.address,
            )
        for phase, address in (
            (Phase.RUNNING, running.address),
            (Phase.DONE, ended.address),
            (Phase.QUEUED, queued.address),
        ):
            assert [each.address for each in lab.provider.list_jobs(phase=phase)] == [address]
        assert lab.provider.list_jobs(phase=Phase.HOST_QUIT) == ()
        assert lab.provider.list_jobs(market=MarketAddress(lab.unknown_job)) == ()
        pages = [lab.provider.list_jobs(limit=2, offset=offset) for offset in (0, 2, 4)]
        assert pages == [found[:2], found[2:], ()]

    # --- refusals

    def test_too_little_credit_is_said_with_its_amounts(self, lab: Lab, market: Market) -> None:
        cid = lab.provider.pin(lab.definition(queued_for=0, runs_for=MINUTE))
        with pytest.raises(e.InsufficientCredits) as caught:
            _post(lab.poor, cid, market, 60 * MINUTE, key(1))
        assert caught.value.available == lab.poor.balance().available
        assert caught.value.required == price(_rate(market), 60 * MINUTE)
        assert lab.jobs() == 0

    def test_a_stranger_gets_nothing(self, lab: Lab, market: Market) -> None:
        with pytest.raises(e.Unauthorized):
            lab.stranger.balance()
        with pytest.raises(e.Unauthorized):
            _post(lab.stranger, lab.unknown_cid, market, 10 * MINUTE, key(1))

    def test_somebody_elses_job_is_out_of_reach(self, lab: Lab, market: Market) -> None:
        posted = self._post(lab, market, runs_for=60 * MINUTE)
        lab.wait(MINUTE)
        with pytest.raises((e.Forbidden, e.NotFound)):
            lab.poor.stop(posted.address, key=key(7, "stop"))
        with pytest.raises((e.Forbidden, e.NotFound)):
            lab.poor.extend(posted.address, seconds=60, key=key(7, "extend"))
        assert lab.provider.get(posted.address).phase is Phase.RUNNING

    def test_a_market_nobody_knows_takes_no_job(self, lab: Lab) -> None:
        with pytest.raises((e.Refused, e.NotFound)):
            lab.provider.post(
                cid=lab.unknown_cid,
                market=MarketAddress(lab.unknown_job),
                seconds=10 * MINUTE,
                node=None,
                key=key(1),
            )

    # --- steps

    def _post(
        self,
        lab: Lab,
        market: Market,
        *,
        seconds: int = 10 * MINUTE,
        queued_for: int = 0,
        runs_for: int = 5 * MINUTE,
        exit_code: int = 0,
    ) -> PostedJob:
        cid = lab.provider.pin(lab.definition(queued_for=queued_for, runs_for=runs_for, exit_code=exit_code))
        return _post(lab.provider, cid, market, seconds, key(1))

    def _ended(self, lab: Lab, posted: PostedJob, after: float) -> RemoteJob:
        lab.wait(after)
        return lab.provider.get(posted.address)


def _post(provider: Provider, cid: Cid, market: Market, seconds: int, key_: IdempotencyKey) -> PostedJob:
    return provider.post(cid=cid, market=market.address, seconds=seconds, node=None, key=key_)


def _rate(market: Market) -> Decimal:
    assert market.rate_per_hour is not None
    return market.rate_per_hour
