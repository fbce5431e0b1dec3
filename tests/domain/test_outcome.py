"""How a job ended, against the network's misleading words (Nosana credits API, job record and result)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.outcome import Outcome, RunReport, expiry_reason, outcome
from dispatcher.domain.words import Operation, Phase, Reason, State
from tests.domain.made import (
    RESULT,
    T0,
    extended,
    intended,
    observed,
    ordered_stop,
    over_job,
    queued_job,
    refused,
    running_job,
    waited,
)

SUCCESS = RunReport("success", 0)
COMPLETED, FAILED, STOPPED = State.COMPLETED, State.FAILED, State.STOPPED


def stopped(job: Job, reason: Reason = Reason.OPERATOR) -> Job:
    return apply(job, ordered_stop(reason=reason))


def seen(job: Job, phase: Phase = Phase.DONE, **changes: Any) -> Job:
    """`job` with a last look in which the network shows it in `phase`, from T0 to T0 + 100."""
    return apply(job, observed(job, phase, at=T0 + 110, **{"ended_at": T0 + 100, **changes}))


def end(job: Job, report: RunReport | None) -> tuple[State, Reason]:
    found = found_of(job, report)
    return found.state, found.reason


def found_of(job: Job, report: RunReport | None) -> Outcome:
    assert job.remote is not None
    return outcome(job, job.remote, report)


@pytest.mark.parametrize(
    ("report", "state", "reason"),
    [
        (SUCCESS, COMPLETED, Reason.FINISHED),
        (RunReport("success"), COMPLETED, Reason.FINISHED),  # older hosts name no exit code
        # The exit code decides, whatever the word.
        (RunReport("success", 1), FAILED, Reason.EXIT_CODE),
        (RunReport("failed", 1), FAILED, Reason.EXIT_CODE),
        (RunReport("failed", 137), FAILED, Reason.EXIT_CODE),
        (RunReport("success", -1), FAILED, Reason.EXIT_CODE),
        (RunReport("failed", 0), FAILED, Reason.EXIT_CODE),
        (RunReport("failed"), FAILED, Reason.EXIT_CODE),
        # A job that ran into its time-out reports success.
        (RunReport("success", 0, expired=True), STOPPED, Reason.TIMED_OUT),
        (RunReport("success", None, expired=True), STOPPED, Reason.TIMED_OUT),
        (RunReport("failed", 137, expired=True), STOPPED, Reason.TIMED_OUT),
        # Somebody else stopped it; nobody here asked for it.
        (RunReport("stopped", None, stopped=True), STOPPED, Reason.STOPPED_ELSEWHERE),
        (RunReport("stopped"), STOPPED, Reason.STOPPED_ELSEWHERE),
        (RunReport("stopped", 143, stopped=True), STOPPED, Reason.STOPPED_ELSEWHERE),
        # The host gave up, whatever it says beside.
        (RunReport("failed", None, host_quit=True), FAILED, Reason.HOST_QUIT),
        (RunReport("success", 0, host_quit=True), FAILED, Reason.HOST_QUIT),
        # A definition that does not validate is posted and paid, and refused by the host.
        (RunReport("validation-error"), FAILED, Reason.INVALID_AT_HOST),
        (RunReport("init error"), FAILED, Reason.INVALID_AT_HOST),
        (RunReport("logistics-error"), FAILED, Reason.INVALID_AT_HOST),
        (RunReport("validation-error", 1), FAILED, Reason.INVALID_AT_HOST),
        # Words of particular hosts that are no ends.
        (RunReport("waiting-for-result"), FAILED, Reason.EXIT_CODE),
        (RunReport("running"), FAILED, Reason.EXIT_CODE),
        (RunReport(""), FAILED, Reason.EXIT_CODE),
    ],
)
def test_what_a_host_reports(report: RunReport, state: State, reason: Reason) -> None:
    found = found_of(seen(running_job()), report)
    assert (found.state, found.reason, found.exit_code) == (state, reason, report.exit_code)


@pytest.mark.parametrize(
    ("report", "state", "reason"),
    [
        (RunReport("stopped", None, stopped=True), STOPPED, Reason.MAX_COST),
        (RunReport("stopped", 137), STOPPED, Reason.MAX_COST),
        (None, STOPPED, Reason.MAX_COST),  # state 2 and no result: what an owner's stop looks like
        (SUCCESS, COMPLETED, Reason.FINISHED),  # it was done before the stop came
        (RunReport("failed", 1), FAILED, Reason.EXIT_CODE),
        (RunReport("failed", None, host_quit=True), FAILED, Reason.HOST_QUIT),
    ],
)
def test_a_job_that_was_told_to_stop(report: RunReport | None, state: State, reason: Reason) -> None:
    assert end(seen(stopped(running_job(), Reason.MAX_COST)), report) == (state, reason)


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({}, FAILED, Reason.NO_RESULT),
        ({"ended_at": T0 + 1800}, STOPPED, Reason.TIMED_OUT),  # all the time that was allowed
        ({"ended_at": T0 + 1801}, STOPPED, Reason.TIMED_OUT),
        ({"ended_at": T0 + 1800, "status": "success"}, STOPPED, Reason.TIMED_OUT),
        ({"ended_at": T0 + 1799, "status": "success"}, COMPLETED, Reason.FINISHED),
        ({"ended_at": None, "status": "success"}, FAILED, Reason.NO_RESULT),
        ({"status": "failed"}, FAILED, Reason.NO_RESULT),
        ({"status": "stopped"}, STOPPED, Reason.STOPPED_ELSEWHERE),
        ({"status": "validation-error"}, FAILED, Reason.INVALID_AT_HOST),
        ({"status": "running"}, FAILED, Reason.NO_RESULT),
    ],
)
def test_without_a_result_the_record_has_to_do(changes: dict[str, Any], state: State, reason: Reason) -> None:
    assert end(seen(running_job(), **changes), None) == (state, reason)


def test_a_host_that_quit_is_state_3() -> None:
    assert end(seen(running_job(), Phase.HOST_QUIT), None) == (FAILED, Reason.HOST_QUIT)
    assert end(seen(running_job(), Phase.HOST_QUIT), SUCCESS) == (FAILED, Reason.HOST_QUIT)
    found = found_of(seen(running_job(), Phase.HOST_QUIT), RunReport("failed", 3, detail="power"))
    assert (found.exit_code, found.detail) == (3, "power")


def was_seen(job: Job) -> Job:
    return apply(job, observed(job, Phase.QUEUED))


@pytest.mark.parametrize(
    ("job", "state", "reason"),
    [
        (was_seen(queued_job()), STOPPED, Reason.STOPPED_ELSEWHERE),  # delisted, and not by us
        (stopped(was_seen(queued_job())), STOPPED, Reason.OPERATOR),
        (stopped(queued_job(), Reason.QUEUED_TOO_LONG), STOPPED, Reason.QUEUED_TOO_LONG),
        (queued_job(), FAILED, Reason.VANISHED),  # the index never had it
        (running_job(), FAILED, Reason.VANISHED),
        (stopped(running_job()), STOPPED, Reason.OPERATOR),
    ],
)
def test_a_job_that_the_network_does_not_know_any_more(job: Job, state: State, reason: Reason) -> None:
    gone = seen(job, Phase.GONE, ended_at=None)
    assert end(gone, None) == (state, reason)


def test_what_the_host_says_is_passed_on() -> None:
    said = found_of(over_job(), RunReport("failed", 2, detail="no such file"))
    assert (said.exit_code, said.detail) == (2, "no such file")
    assert found_of(over_job(), RunReport("init error")).detail == "init error"
    assert found_of(over_job(), RunReport("running")).detail == "the host reported 'running'"
    assert found_of(over_job(), None).detail == "the network shows no result"


def extending(**policy: Any) -> dict[str, Any]:
    return {"extend": {"by": "10m", **policy}}


def extended_once(job: Job) -> Job:
    job = apply(job, intended(job, Operation.EXTEND, 600))
    return apply(job, extended(job))


AT_600 = datetime.fromtimestamp(T0 + 600, UTC).isoformat()


def refused_once(job: Job) -> Job:
    job = apply(job, intended(job, Operation.EXTEND, 600))
    return apply(job, refused(job))


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (running_job(), Reason.TIMED_OUT),
        (running_job(policies=extending()), Reason.TIMED_OUT),  # it should have been extended
        (refused_once(running_job(policies=extending())), Reason.REFUSED),
        (
            apply(running_job(policies=extending()), waited(Reason.AWAITING_CREDIT)),
            Reason.NO_CREDIT,
        ),
        (
            apply(running_job(policies=extending()), waited(Reason.AWAITING_NETWORK)),
            Reason.TIMED_OUT,
        ),
        (extended_once(running_job(policies=extending(max_times=1))), Reason.MAX_EXTENDS),
        (extended_once(running_job(policies=extending(max_times=2))), Reason.TIMED_OUT),
        (running_job(policies=extending(max_runtime="30m")), Reason.MAX_RUNTIME),
        (running_job(policies=extending(max_runtime="30m59s")), Reason.MAX_RUNTIME),
        (running_job(policies=extending(max_runtime="31m")), Reason.TIMED_OUT),
        (running_job(policies=extending(max_cost="1.859")), Reason.MAX_COST),
        (running_job(policies=extending(max_cost="1.86")), Reason.TIMED_OUT),
        (running_job(policies=extending() | {"stop": {"max_cost": "1.8"}}), Reason.MAX_COST),
        (running_job(policies=extending() | {"stop": {"after": "29m"}}), Reason.MAX_RUNTIME),
        # No more was posted than a policy allowed.
        (running_job(policies={"stop": {"max_cost": "1.799"}}), Reason.MAX_COST),
        (running_job(policies={"stop": {"after": "20m"}}), Reason.MAX_RUNTIME),
        (running_job(policies={"stop": {"max_cost": "1.8"}}), Reason.TIMED_OUT),
        (running_job(policies={"stop": {"at": AT_600}}), Reason.STOP_AT),
        (
            extended_once(running_job(timeout="1h", policies={"quantum": "2m", "stop": {"at": AT_600}})),
            Reason.STOP_AT,
        ),
        (running_job(policies={"stop": {"at": AT_600, "max_cost": "1"}}), Reason.STOP_AT),
        (running_job(policies={"stop": {"at": AT_600, "max_cost": "0.6"}}), Reason.MAX_COST),
        (running_job(policies={"stop": {"at": AT_600, "after": "5m"}}), Reason.MAX_RUNTIME),
        (running_job(timeout="5m", policies={"stop": {"at": AT_600}}), Reason.TIMED_OUT),
        # The last extension reached to a minute after the stop.
        (
            extended_once(running_job(timeout="1m", policies=extending() | {"stop": {"at": AT_600}})),
            Reason.STOP_AT,
        ),
        (running_job(timeout="1m", policies=extending() | {"stop": {"at": AT_600}}), Reason.TIMED_OUT),
        (
            extended_once(
                running_job(timeout="1m", policies=extending(max_cost="2") | {"stop": {"at": AT_600}})
            ),
            Reason.STOP_AT,
        ),
    ],
)
def test_why_a_job_ran_into_its_timeout(job: Job, reason: Reason) -> None:
    assert expiry_reason(job) is reason
    assert end(seen(job), RunReport("success", 0, expired=True)) == (STOPPED, reason)
    assert job.remote is not None
    assert end(seen(job, ended_at=T0 + job.remote.timeout), None) == (STOPPED, reason)


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING])
def test_a_report_counts_whatever_the_index_still_shows(phase: Phase) -> None:
    job = apply(running_job(), observed(running_job(), phase, result_cid=RESULT))
    assert end(job, SUCCESS) == (COMPLETED, Reason.FINISHED)


def test_a_look_in_between_changes_nothing() -> None:
    job = apply(stopped(running_job()), ev.Looked(at=T0 + 5, error="cut"))
    assert end(seen(job), None) == (STOPPED, Reason.OPERATOR)
