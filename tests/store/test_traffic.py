"""What every traffic must do: the rate limit and the pauses of an account, the breaker of an API."""

import pytest

from dispatcher.domain.ids import AccountName
from dispatcher.domain.traffic import Change, HeldBy, Limits, Outcome, Urgency
from dispatcher.ports.traffic import Admitted, Held, Lane, Traffic

T0 = 1_800_000_000.0
LANE = Lane(AccountName("default"), "api.test")
OTHER = Lane(AccountName("other"), "api.test")
PINS = Lane(AccountName("default"), "pins.test:8080")
LIMITS = Limits.of(10)  # 20 at once; looks leave 9.5 of them, posts 4.75
STOP, EXTEND, POST, PREPARE, LOOK = Urgency


class Desk:
    """Asks one traffic, at a time that moves when told."""

    def __init__(self, traffic: Traffic, lane: Lane = LANE, at: float = T0) -> None:
        self.traffic, self.lane, self.at = traffic, lane, at

    def ask(self, urgency: Urgency = LOOK, before: float | None = None) -> Admitted | Held:
        return self.traffic.admit(self.lane, urgency=urgency, now=self.at, limits=LIMITS, before=before)

    def admitted(self, urgency: Urgency = LOOK, before: float | None = None) -> Admitted:
        answer = self.ask(urgency, before)
        assert isinstance(answer, Admitted), answer
        return answer

    def held(self, urgency: Urgency = LOOK, before: float | None = None) -> Held:
        answer = self.ask(urgency, before)
        assert isinstance(answer, Held), answer
        return answer

    def tell(
        self, admitted: Admitted, outcome: Outcome, retry_after: float | None = None
    ) -> frozenset[Change]:
        return self.traffic.answered(
            self.lane, admitted, outcome, now=self.at, limits=LIMITS, retry_after=retry_after
        )

    def call(
        self, outcome: Outcome, urgency: Urgency = LOOK, retry_after: float | None = None
    ) -> frozenset[Change]:
        return self.tell(self.admitted(urgency), outcome, retry_after)

    def takes(self, urgency: Urgency, at_most: int = 100) -> int:
        """How many calls of this kind go out at once."""
        return next(n for n in range(at_most) if isinstance(self.ask(urgency), Held))


@pytest.fixture
def desk(traffic: Traffic) -> Desk:
    return Desk(traffic)


def opened(desk: Desk) -> None:
    for number in range(LIMITS.failures):
        changes = desk.call(Outcome.FAILED, STOP)
        assert changes == (frozenset({Change.OPENED}) if number == LIMITS.failures - 1 else frozenset())


class TestRate:
    @pytest.mark.parametrize(
        ("urgency", "at_once"), [(STOP, 40), (EXTEND, 20), (POST, 15), (PREPARE, 15), (LOOK, 10)]
    )
    def test_the_less_urgent_leave_something_to_the_more_urgent(
        self, desk: Desk, urgency: Urgency, at_once: int
    ) -> None:
        assert desk.takes(urgency) == at_once

    def test_looks_never_take_what_stops_need(self, desk: Desk) -> None:
        assert [desk.takes(urgency) for urgency in (LOOK, POST, EXTEND, STOP)] == [10, 5, 5, 20]

    def test_the_bucket_fills_at_the_rate_and_no_higher_than_the_burst(self, desk: Desk) -> None:
        assert desk.takes(EXTEND) == 20
        desk.at += 0.5
        assert desk.takes(EXTEND) == 5
        desk.at += 3600
        assert desk.takes(EXTEND) == 20

    def test_who_is_held_comes_back_when_there_is_something(self, desk: Desk) -> None:
        desk.takes(EXTEND)
        held = desk.held(EXTEND)
        assert held == Held(pytest.approx(T0 + 0.1), HeldBy.RATE)  # type: ignore[arg-type]
        desk.at = held.until
        desk.admitted(EXTEND)

    def test_those_who_wait_are_sent_back_one_after_the_other(self, desk: Desk) -> None:
        desk.takes(LOOK)
        waits = [desk.held(LOOK).until - T0 for _ in range(5)]
        assert waits == pytest.approx([waits[0] + 0.1 * n for n in range(5)])
        for _ in range(1000):
            last = desk.held(LOOK)
        assert last.until == pytest.approx(T0 + LIMITS.queue)

    def test_every_lane_has_a_bucket_of_its_own(self, desk: Desk) -> None:
        desk.takes(STOP)
        assert Desk(desk.traffic, OTHER).takes(STOP) == 40
        assert Desk(desk.traffic, PINS).takes(STOP) == 40

    def test_a_low_rate_still_lets_everything_through(self, traffic: Traffic) -> None:
        limits = Limits.of(0.1)
        for urgency in Urgency:
            assert isinstance(traffic.admit(LANE, urgency=urgency, now=T0, limits=limits), Admitted) or (
                isinstance(traffic.admit(LANE, urgency=urgency, now=T0 + 60, limits=limits), Admitted)
            )

    def test_two_workers_share_it_with_clocks_a_little_apart(self, traffic: Traffic) -> None:
        mine, theirs = Desk(traffic), Desk(traffic, at=T0 + 2)
        mine.admitted()
        theirs.takes(EXTEND)
        mine.at += 1
        assert mine.takes(EXTEND) == 0  # their second was counted already

    def test_a_bucket_from_another_time_is_forgotten(self, desk: Desk) -> None:
        desk.at = T0 + 1e6
        desk.takes(STOP)
        desk.at = T0
        assert desk.takes(EXTEND) == 20


class TestPauses:
    @pytest.mark.parametrize("outcome", [Outcome.LIMITED, Outcome.FAILED])
    def test_retry_after_holds_for_everybody_on_the_account(self, desk: Desk, outcome: Outcome) -> None:
        assert desk.call(outcome, retry_after=20.0) == {Change.PAUSED}
        other_worker = Desk(desk.traffic, at=T0 + 19)
        for urgency in Urgency:
            held = other_worker.held(urgency)
            assert (held.until, held.by, held.paused_until) == (T0 + 20, HeldBy.PAUSE, T0 + 20)
        Desk(desk.traffic, OTHER).admitted()
        Desk(desk.traffic, PINS).admitted()
        other_worker.at = T0 + 20
        other_worker.admitted()

    def test_a_long_pause_holds_stops_and_extensions_for_five_minutes(self, desk: Desk) -> None:
        desk.call(Outcome.LIMITED, retry_after=3600.0)
        assert [desk.held(urgency).until - T0 for urgency in Urgency] == [300, 300, 3600, 3600, 3600]
        assert desk.held(STOP).paused_until == T0 + 3600
        desk.at = T0 + 300
        desk.admitted(STOP)
        desk.admitted(EXTEND)
        desk.held(POST)
        # Another 429 does not begin it anew: whoever is worth a try keeps to its own ladder from here on.
        assert desk.call(Outcome.LIMITED, STOP, retry_after=3600.0) == frozenset()
        desk.admitted(STOP)
        assert desk.held(LOOK).until == T0 + 3900

    @pytest.mark.parametrize(
        ("left", "held_for"), [(40, 20), (100, 50), (600, 300), (6000, 300), (1, 0.5), (-5, None)]
    )
    def test_a_stop_or_an_extension_goes_out_at_half_of_the_time_that_is_left(
        self, desk: Desk, left: float, held_for: float | None
    ) -> None:
        desk.call(Outcome.LIMITED, retry_after=3600.0)
        if held_for is None:
            desk.admitted(EXTEND, before=T0 + left)
            return
        assert desk.held(EXTEND, before=T0 + left).until == T0 + held_for
        desk.at = T0 + held_for
        desk.admitted(EXTEND, before=T0 + left)
        desk.held(LOOK, before=T0 + left)

    def test_without_retry_after_pauses_double_while_429s_keep_coming(self, desk: Desk) -> None:
        lengths = []
        for _ in range(7):
            assert desk.call(Outcome.LIMITED) == {Change.PAUSED}
            lengths.append(desk.held().until - desk.at)
            desk.at = desk.held().until
        assert lengths == [1, 2, 4, 8, 16, 30, 30]
        assert desk.admitted().watched  # good news is news
        desk.call(Outcome.ANSWERED)
        assert not desk.admitted().watched
        desk.call(Outcome.LIMITED)
        assert desk.held().until - desk.at == 1

    def test_what_was_under_way_when_a_pause_began_does_not_double_it(self, desk: Desk) -> None:
        under_way = [desk.admitted() for _ in range(5)]
        for admitted in under_way:
            desk.tell(admitted, Outcome.LIMITED)
        assert desk.held().until == T0 + 1
        # nor does an answer that was under way end it
        desk.tell(under_way[0], Outcome.ANSWERED)
        desk.at = T0 + 1
        desk.call(Outcome.LIMITED)
        assert desk.held().until == T0 + 3

    def test_a_shorter_pause_does_not_cut_a_longer_one_short(self, desk: Desk) -> None:
        first, second = desk.admitted(), desk.admitted()
        desk.tell(first, Outcome.LIMITED, 60.0)
        assert desk.tell(second, Outcome.LIMITED, 5.0) == frozenset()
        assert desk.held().until == T0 + 60

    def test_retry_after_nothing_is_taken_for_none(self, desk: Desk) -> None:
        desk.call(Outcome.LIMITED, retry_after=0.0)
        assert desk.held().until == T0 + 1

    def test_a_pause_from_another_time_is_forgotten(self, desk: Desk) -> None:
        desk.at = T0 + 1e6
        desk.call(Outcome.LIMITED, retry_after=1e5)
        desk.at = T0
        desk.admitted()


class TestBreaker:
    def test_eight_failures_in_a_row_open_it_for_all_accounts_of_the_api(self, desk: Desk) -> None:
        opened(desk)
        for lane in (LANE, OTHER):
            for urgency in (POST, PREPARE, LOOK):
                held = Desk(desk.traffic, lane).held(urgency)
                assert held == Held(T0 + 5, HeldBy.BREAKER, failures=8)
        for lane in (LANE, OTHER):
            Desk(desk.traffic, lane).admitted(STOP)
            Desk(desk.traffic, lane).admitted(EXTEND)
        Desk(desk.traffic, PINS).admitted(POST)

    @pytest.mark.parametrize("good", [Outcome.ANSWERED, Outcome.LIMITED])
    def test_a_success_in_between_begins_the_count_anew(self, desk: Desk, good: Outcome) -> None:
        for _ in range(3):
            for _ in range(7):
                desk.call(Outcome.FAILED, EXTEND)
            assert desk.admitted(EXTEND).watched
            desk.call(good, EXTEND)
            desk.at += 100
        assert isinstance(desk.ask(POST), Admitted)

    def test_failures_that_are_far_apart_do_not_open_it(self, desk: Desk) -> None:
        for _ in range(20):
            assert desk.call(Outcome.FAILED) == frozenset()
            desk.at += 10  # eight take 70 s
        desk.at -= 10
        desk.at += 1
        assert desk.call(Outcome.FAILED) == frozenset()
        desk.at += 1  # six of those before are in the minute that ends now
        assert desk.call(Outcome.FAILED) == {Change.OPENED}
        assert desk.held(POST).failures == 22

    def test_one_look_at_a_time_tries_and_a_post_never(self, desk: Desk) -> None:
        for _ in range(8):
            desk.call(Outcome.FAILED)
        desk.at = desk.held(LOOK).until
        assert desk.at == T0 + 5
        assert desk.held(POST).trial_wanted
        trial = desk.admitted(LOOK)
        assert trial.trial
        assert trial.watched
        for urgency in (LOOK, PREPARE, POST):
            assert desk.held(urgency).until == T0 + 10
            assert not desk.held(urgency).trial_wanted
        assert desk.tell(trial, Outcome.ANSWERED) == {Change.CLOSED}
        desk.admitted(POST)
        assert not desk.admitted(LOOK).watched

    def test_tries_that_fail_double_the_cool_down_to_a_minute(self, desk: Desk) -> None:
        for _ in range(8):
            desk.call(Outcome.FAILED)
        pauses = []
        for _ in range(6):
            pauses.append(desk.held(LOOK).until - desk.at)
            desk.at = desk.held(LOOK).until
            assert desk.call(Outcome.FAILED) == frozenset()
        assert pauses == [5, 10, 20, 40, 60, 60]
        assert desk.held(LOOK).failures == 14

    def test_stops_go_on_and_the_first_after_the_cool_down_is_the_trial(self, desk: Desk) -> None:
        opened(desk)
        desk.at += 4
        assert desk.admitted(STOP).trial == ""
        desk.at += 1
        # Looks have to wait for half a cool-down more: a stop was tried, and will come again.
        assert desk.held(LOOK).until == T0 + 7.5
        trial = desk.admitted(EXTEND)
        assert trial.trial
        assert desk.admitted(STOP).trial == ""  # it goes out, but is not what everybody waits for
        desk.tell(trial, Outcome.FAILED)
        assert desk.held(LOOK).until == T0 + 15

    def test_stops_that_fail_for_ever_leave_every_other_trial_to_the_others(self, desk: Desk) -> None:
        """Perhaps it is only stops that the network cannot do."""
        opened(desk)
        desk.at += 5
        assert desk.admitted(STOP).trial
        trial = desk.ask(STOP)
        desk.at += 30  # the first was lost
        trial = desk.admitted(STOP)
        assert trial.trial
        desk.tell(trial, Outcome.FAILED)
        desk.at += 10
        assert desk.admitted(STOP).trial == ""  # it goes out, but it is the others' turn
        trial = desk.admitted(LOOK)  # and they do not have to give way
        assert trial.trial
        desk.tell(trial, Outcome.FAILED)
        desk.at += 20
        assert desk.admitted(EXTEND).trial

    def test_a_stop_that_gets_through_closes_it_before_the_cool_down_is_over(self, desk: Desk) -> None:
        opened(desk)
        desk.at += 1
        assert desk.call(Outcome.ANSWERED, STOP) == {Change.CLOSED}
        desk.admitted(POST)

    def test_an_answer_to_a_call_from_before_does_not_close_it(self, desk: Desk) -> None:
        slow = desk.admitted()
        opened(desk)
        assert desk.tell(slow, Outcome.ANSWERED) == frozenset()
        desk.held(POST)

    def test_failures_that_were_under_way_do_not_lengthen_it(self, desk: Desk) -> None:
        under_way = [desk.admitted(STOP) for _ in range(10)]
        for admitted in under_way:
            desk.tell(admitted, Outcome.FAILED)
        assert desk.held(LOOK).until == T0 + 5

    def test_a_trial_whose_worker_died_is_followed_by_another(self, desk: Desk) -> None:
        for _ in range(8):
            desk.call(Outcome.FAILED)
        desk.at += 5
        lost = desk.admitted(LOOK)
        desk.at += 29
        assert desk.held(LOOK).until == T0 + 35
        desk.at += 1
        trial = desk.admitted(LOOK)
        assert trial.trial not in ("", lost.trial)
        # What comes of the lost one after all no longer counts against the network, but for it.
        desk.tell(lost, Outcome.FAILED)
        assert desk.held(LOOK).until == T0 + 40
        assert desk.tell(lost, Outcome.ANSWERED) == {Change.CLOSED}

    def test_a_held_trial_does_not_use_the_trial_up(self, desk: Desk) -> None:
        """The bucket is asked before the trial is given away."""
        opened(desk)
        desk.takes(STOP)
        desk.at += 8
        assert desk.takes(LOOK) == 1
        assert desk.held(LOOK).by is HeldBy.BREAKER

    def test_an_open_breaker_from_another_time_is_forgotten(self, desk: Desk) -> None:
        desk.at = T0 + 1e6
        opened(desk)
        desk.at = T0
        desk.admitted(POST)


class TestView:
    def test_a_lane_that_was_never_used(self, desk: Desk) -> None:
        view = desk.traffic.view(LANE, now=T0, limits=LIMITS)
        assert (view.available, view.paused_until, view.open_since, view.trial_at, view.failures) == (
            20,
            None,
            None,
            None,
            0,
        )

    def test_everything_shows(self, desk: Desk) -> None:
        opened(desk)
        desk.call(Outcome.LIMITED, STOP, retry_after=90.0)  # closes it, and pauses
        view = desk.traffic.view(LANE, now=T0 + 0.2, limits=LIMITS)
        assert view.available == pytest.approx(13)
        assert (view.paused_until, view.open_since, view.failures) == (T0 + 90, None, 0)
        elsewhere = Desk(desk.traffic, OTHER, at=T0 + 10)
        opened(elsewhere)
        view = desk.traffic.view(LANE, now=T0 + 10, limits=LIMITS)
        assert (view.open_since, view.trial_at, view.failures) == (T0 + 10, T0 + 15, 8)
        assert desk.traffic.view(LANE, now=T0 + 91, limits=LIMITS).paused_until is None
