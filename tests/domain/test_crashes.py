"""How soon a job is tried again after a crash, and what is kept of the error."""

import pytest

from dispatcher.domain.crashes import Trouble, bounded, lapsed, one_line, retry_after
from dispatcher.domain.ids import JobId, LeaseToken
from dispatcher.domain.view import view
from tests.domain.made import T0, running_job


@pytest.mark.parametrize(
    ("crashes", "seconds"),
    [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 60), (7, 60), (10**9, 60)],
)
def test_the_pause_doubles_to_a_minute(crashes: int, seconds: float) -> None:
    assert retry_after(crashes) == seconds


def test_a_reason_is_one_bounded_line() -> None:
    assert one_line("ValueError: a\n  b\tc\n") == "ValueError: a b c"
    assert len(one_line("x" * 1000)) == 300


@pytest.mark.parametrize("letter", ["x", "ü", "漢", "\ud800"], ids=["1", "2", "3", "surrogate"])
def test_of_a_traceback_the_end_is_kept(letter: str) -> None:
    text = bounded(letter * 20_000 + "\nValueError: here")
    assert 8180 <= len(text.encode()) <= 8192
    assert text.endswith("ValueError: here")
    assert bounded("short") == "short"


def test_lapses_are_no_errors() -> None:
    assert lapsed(20).reason == "its worker died or hung 20 times in a row"
    assert not lapsed(20).raised


def trouble(**fields: object) -> Trouble:
    known = {"crashes": 5, "at": T0, "token": LeaseToken(1), "retry_at": None, "dead": True, **fields}
    return Trouble(JobId("job_1"), "ValueError: x", "Traceback", **known)  # type: ignore[arg-type]


def test_a_dead_letter_has_no_next_step_but_says_what_brings_it_back() -> None:
    seen = view(running_job(), T0 + 60, trouble())
    assert seen["next"] is None
    assert seen["crashed"] is None
    assert seen["dead"] == {
        "reason": "ValueError: x",
        "crashes": 5,
        "at": "2027-01-15T08:00:00Z",
        "next": "nothing, until `dispatcher dead retry job_1`, a stop, or `dispatcher dead drop`",
        "dropped_at": None,
    }
    assert seen["cost"]["committed_usd"] == "1.800"


def test_a_job_that_is_tried_again_says_when() -> None:
    seen = view(running_job(), T0 + 60, trouble(crashes=2, dead=False, retry_at=T0 + 4))
    assert seen["next"]["at"] == "2027-01-15T08:00:34Z"
    rests = trouble(crashes=6, dead=False, retry_at=T0 + 50)
    assert view(running_job(), T0, rests)["next"]["at"] == "2027-01-15T08:00:50Z"
    assert seen["dead"] is None
    assert seen["crashed"]["retry_at"] == "2027-01-15T08:00:04Z"
