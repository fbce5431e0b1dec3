"""Errors form one tree, say whose fault it is, and survive the way between processes."""

import copy
import inspect
import pickle
from decimal import Decimal

import pytest

from dispatcher.domain import errors
from dispatcher.domain.errors import (
    Bug,
    DispatcherError,
    InsufficientCredits,
    InvalidRequest,
    KeyExpired,
    KeyInProgress,
    KeyMismatch,
    LeaseLost,
    MalformedAnswer,
    NoAnswer,
    NotPossible,
    NotSent,
    ProviderError,
    RateLimited,
    RequestConflict,
    TooManyJobs,
    Unavailable,
    UnknownJob,
    UnreadableRecord,
    Verdict,
)
from dispatcher.domain.faults import Fault, under

EXAMPLES = [
    InvalidRequest([Fault("market", "is missing"), Fault("timeout", "is missing")]),
    InvalidRequest([Fault("market", "is missing")]),
    RequestConflict("order-17", "job_1"),
    UnknownJob("job_1"),
    TooManyJobs(7, 7),
    NotPossible("it is over"),
    ProviderError("post", "no", status=400),
    NoAnswer("post", "cut"),
    RateLimited("get", "slow down", status=429, retry_after=7),
    InsufficientCredits(
        "post", "Insufficient credits", status=402, available=Decimal(0), required=Decimal(1)
    ),
    LeaseLost("job_1"),
    UnreadableRecord("job_1", "entry 3 of the log", token=7, crashes=2),
    Bug("a promise is broken"),
]
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


def test_there_is_one_tree() -> None:
    assert all(issubclass(kind, DispatcherError) for kind in KINDS)


def test_every_error_is_in_the_picture_of_the_tree() -> None:
    assert errors.__doc__ is not None
    named = {line.split()[0] for line in errors.__doc__.splitlines() if line.startswith("    ")}
    # The picture names 401 to 404 and the rest below the base class.
    assert named >= {kind.__name__ for kind in KINDS} - {"RequestError"}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling_whole(error: DispatcherError, protocol: int) -> None:
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [(kind, kind.verdict) for kind in KINDS if issubclass(kind, ProviderError)],
)
def test_only_what_is_undecided_is_asked_again_under_the_same_key(
    kind: type[ProviderError], verdict: Verdict
) -> None:
    undecided = {NoAnswer, Unavailable, RateLimited, KeyInProgress, MalformedAnswer, NotSent}
    expected = (
        Verdict.SAME_KEY if kind in undecided else Verdict.NEW_KEY if kind is KeyExpired else Verdict.FINAL
    )
    assert verdict is expected


def test_a_mismatch_is_never_repeated() -> None:
    assert KeyMismatch.verdict is Verdict.FINAL


def test_a_fault_says_where_and_what() -> None:
    fault = Fault("market", "is missing")
    assert str(fault) == "market: is missing"
    assert fault.as_dict() == {"path": "market", "message": "is missing"}
    assert under("requests[3]", [fault]) == (Fault("requests[3].market", "is missing"),)


def test_a_provider_error_names_the_operation_and_the_status() -> None:
    assert str(ProviderError("post", "no such market", status=400)) == "post: no such market (HTTP 400)"
    assert str(NoAnswer("get", "cut")) == "get: cut"
