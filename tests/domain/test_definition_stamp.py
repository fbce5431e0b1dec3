"""The stamp tells postings apart, changes nothing else and can be read back."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.cid import cid_of
from dispatcher.domain.definition import Stamp, canonical_json, read_stamp, stamp, validate_definition

PLAIN: dict[str, Any] = {"version": "0.1", "type": "container", "ops": []}
META = {"version": "0.1", "meta": {"trigger": "cli", "x": [1]}, "type": "container", "ops": []}


def test_the_stamp_is_at_the_end_of_meta_and_the_keys_stay_where_they_are() -> None:
    stamped = stamp(META, dispatch_id="job_1", attempt=2)
    assert list(stamped) == ["version", "meta", "type", "ops"]
    assert json.dumps(stamped["meta"]) == (
        '{"trigger": "cli", "x": [1], "dispatch_id": "job_1", "dispatch_attempt": 2}'
    )


def test_meta_is_made_behind_the_other_keys() -> None:
    stamped = stamp(PLAIN, dispatch_id="job_1", attempt=1)
    assert list(stamped) == ["version", "type", "ops", "meta"]
    assert stamped["meta"] == {"dispatch_id": "job_1", "dispatch_attempt": 1}


@pytest.mark.parametrize("definition", [PLAIN, META])
def test_the_original_is_untouched_and_the_copy_is_valid(definition: dict[str, Any]) -> None:
    before = copy.deepcopy(definition)
    stamped = stamp(definition, dispatch_id="job_1", attempt=1)
    assert definition == before
    assert validate_definition(stamped) == ()


def test_an_earlier_stamp_is_replaced_and_moves_to_the_end() -> None:
    first = stamp(PLAIN, dispatch_id="job_1", attempt=1)
    meta = {**first["meta"], "later": "x"}  # type: ignore[dict-item]  # meta is an object: it was just stamped
    again = stamp({**first, "meta": meta}, dispatch_id="job_2", attempt=3)
    assert list(again["meta"]) == ["later", "dispatch_id", "dispatch_attempt"]  # type: ignore[call-overload]
    assert read_stamp(again) == Stamp("job_2", 3)


@pytest.mark.parametrize("meta", [None, [], "x"])
def test_a_meta_that_is_no_object_cannot_be_stamped(meta: object) -> None:
    with pytest.raises(TypeError, match="meta is no object"):
        stamp({**PLAIN, "meta": meta}, dispatch_id="job_1", attempt=1)


@given(st.text(min_size=1), st.integers(0, 2**53))
def test_every_posting_has_bytes_of_its_own_and_is_found_by_them(dispatch_id: str, attempt: int) -> None:
    document = canonical_json(stamp(META, dispatch_id=dispatch_id, attempt=attempt))
    assert read_stamp(json.loads(document)) == Stamp(dispatch_id, attempt)
    following = canonical_json(stamp(META, dispatch_id=dispatch_id, attempt=attempt + 1))
    assert attempt == 2**53 or cid_of(document) != cid_of(following)


def test_a_number_that_came_back_with_a_fraction_of_zero_is_read() -> None:
    assert read_stamp({"meta": {"dispatch_id": "job_1", "dispatch_attempt": 2.0}}) == Stamp("job_1", 2)


@pytest.mark.parametrize(
    "definition",
    [
        None,
        [],
        "text",
        {},
        {"meta": None},
        {"meta": {}},
        {"meta": {"dispatch_id": "job_1"}},
        {"meta": {"dispatch_attempt": 1}},
        {"meta": {"dispatch_id": 1, "dispatch_attempt": 1}},
        {"meta": {"dispatch_id": "job_1", "dispatch_attempt": True}},
        {"meta": {"dispatch_id": "job_1", "dispatch_attempt": "1"}},
        {"meta": {"dispatch_id": "job_1", "dispatch_attempt": 1.5}},
        {"meta": {"dispatch_id": "job_1", "dispatch_attempt": float("nan")}},
    ],
)
def test_what_bears_no_whole_stamp_has_none(definition: object) -> None:
    assert read_stamp(definition) is None
