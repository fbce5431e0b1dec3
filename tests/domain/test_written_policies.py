"""Policies as they are written: forms, parts, named sets, and what comes of one laid upon another."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.errors import Bug, InvalidRequest
from dispatcher.domain.policies import ExtendPolicy, Policies, StopPolicy
from dispatcher.domain.policies.written import (
    as_document,
    as_part,
    composed,
    differences,
    leaves,
    merged,
    parse_sets,
    said,
    whole,
)
from dispatcher.domain.request import JobRequest, with_sets
from dispatcher.settings.documents import parse_document
from tests.world import MARKET, definition

SETS = parse_sets(
    {
        "overnight": {"extend": {"by": "30m", "max_runtime": "8h"}, "stop": {"max_cost": "2.50", "after": "9h"}},
        "cheap": [{"kind": "credit", "max_rate_per_hour": 0.05}],
    }
)  # fmt: skip


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


DURATIONS = st.sampled_from(["90s", "5m", "1h30m", "2h"])
DOLLARS = st.sampled_from(["0.5", 2, 2.5, "7"])
TIMES = st.sampled_from(["2027-12-24T18:00:00+01:00", "2028-01-01T00:00:00Z"])
KINDS = {
    "poll": some(every=DURATIONS, backoff=st.sampled_from([1, 1.5, 3]), at_most=DURATIONS),
    "quantum": st.fixed_dictionaries({"step": st.sampled_from(["10m", "1h"])}, optional={"margin": DURATIONS}),
    "extend": st.fixed_dictionaries(
        {"by": DURATIONS}, optional={"max_cost": DOLLARS, "until": TIMES, "max_times": st.integers(1, 9)}
    ),
    "stop": some(
        after=DURATIONS, at=TIMES, max_cost=DOLLARS, soft=some(warn=st.sampled_from([0.5, 0.8])),
        no_output_for=DURATIONS,
    ),
    "retry": some(
        on=st.sampled_from([["failed"], ["host_quit", "timed_out"]]),
        attempts=st.integers(2, 9),
        elsewhere=st.sampled_from([[], [{"market": "a"}, {"market": "b", "account": "c"}]]),
        rapid=some(halt_after=st.integers(1, 9)),
    ),
    "credit": some(when_short=st.sampled_from(["wait", "fail"]), wait_until=TIMES, max_rate_per_hour=DOLLARS),
}  # fmt: skip
WHOLE = some(**KINDS)


def _fields(part: Any) -> list[str]:
    return sorted(field for field, value in leaves(part) if value != {})


PARTS = WHOLE.flatmap(
    lambda part: st.lists(st.sampled_from(_fields(part) or ["stop.after"]), max_size=2).map(
        lambda nulled: _with_nulls(part, nulled)
    )
)


def _with_nulls(part: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    for field in fields:
        patch: Any = None
        for name in reversed(field.split(".")):
            patch = {name: patch}
        part = composed(part, patch)
    return part


# --- forms -------------------------------------------------------------------------------------------------


@given(WHOLE)
def test_every_format_and_form_gives_the_same_policies(written: dict[str, Any]) -> None:
    expected = Policies.model_validate(written)
    listed = [{"kind": kind, **fields} for kind, fields in written.items()]
    assert whole(listed) == expected
    assert whole(as_part(written)) == whole(as_part(listed)) == expected
    assert whole(as_document(expected)) == whole(said(expected)) == expected
    for document in (written, said(expected), as_document(expected)):
        read = parse_document(json.dumps(document), "a.json")
        assert whole(read) == expected
        assert whole(parse_document(yaml.safe_dump(document), "a.yaml")) == expected
        assert whole(parse_document(_toml(document), "a.toml")) == expected


def _toml(document: dict[str, Any]) -> str:
    """As TOML's inline tables; its values are JSON's, but for objects and null."""

    def written(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{name} = {written(item)}" for name, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(written, value)) + "]"
        return json.dumps(value)

    return "".join(f"{name} = {written(value)}\n" for name, value in document.items())


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ({"quantum": "30m"}, {"quantum": {"step": "30m"}}),
        ({"quantum": timedelta(minutes=30)}, {"quantum": {"step": "30m"}}),
        ({"stop": {"after": "180m", "max_cost": 5}}, {"stop": {"after": "3h", "max_cost": "5.000"}}),
        ({"extend": {"max_cost": Decimal(5)}}, {"extend": {"max_cost": "5.000"}}),
        ({"extend": None, "stop": {"at": None}}, {"extend": None, "stop": {"at": None}}),
        (Policies(extend=ExtendPolicy(by=timedelta(hours=1))), {"extend": {"by": "1h"}}),
        ({"stop": StopPolicy(after=timedelta(hours=1))}, {"stop": {"after": "1h", "kind": "stop"}}),
        ([StopPolicy(after=timedelta(hours=1))], {"stop": {"after": "1h", "kind": "stop"}}),
        ({}, {}),
        ([], {}),
    ],
)
def test_a_part_has_one_form_and_need_not_be_whole(written: Any, part: dict[str, Any]) -> None:
    assert as_part(written) == part
    assert as_part(part) == part


@pytest.mark.parametrize(
    ("written", "paths"),
    [
        ({"extend": {"by": "5"}, "stop": {"max_cost": -1, "x": 1}, "y": {}},
         ["policies.extend.by", "policies.stop.max_cost", "policies.stop.x", "policies.y"]),
        ({"stop": 5}, ["policies.stop"]),
        ({"stop": {"soft": {"warn": 2}}}, ["policies.stop.soft.warn"]),
        ({"retry": {"elsewhere": [{"market": "???"}]}}, ["policies.retry.elsewhere.0.market"]),
        ({"retry": {"elsewhere": [{}]}}, ["policies.retry.elsewhere.0.market"]),
        ({"quantum": "5"}, ["policies.quantum.step"]),
        ({"stop": {"kind": "extend"}}, ["policies.stop.kind"]),
        ([{"kind": "stop"}, {"kind": "stop"}], ["policies"]),
        ([{"after": "3h"}], ["policies"]),
        (5, ["policies"]),
        ("stop", ["policies"]),
        ({"version": 2}, ["policies.version"]),
    ],
)  # fmt: skip
def test_every_fault_of_a_part_is_named_at_once(written: Any, paths: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        as_part(written)
    assert sorted(fault.path for fault in caught.value.faults) == paths
    assert caught.value.__context__ is None


def test_what_is_whole_is_asked_of_what_comes_of_it() -> None:
    with pytest.raises(InvalidRequest, match=r"policies\.extend\.by: is missing"):
        whole({"extend": {"max_cost": "5"}})


# --- one upon another --------------------------------------------------------------------------------------

JSON_LIKE = st.recursive(
    st.none() | st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON_LIKE, max_size=3)


@pytest.mark.parametrize(
    ("base", "patch", "result"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_parts_are_laid_upon_one_another_as_the_rfc_says(base: Any, patch: Any, result: Any) -> None:
    assert merged(base, patch) == result


@given(OBJECTS, OBJECTS)
def test_own_fields_win_the_others_stay_and_twice_is_once(base: Any, patch: Any) -> None:
    found = merged(base, patch)
    assert merged(found, patch) == found
    after = dict(leaves(found))
    for field, value in leaves(patch):
        if value not in (None, {}):
            assert after[field] == value
        elif value is None:
            assert not any(name == field or name.startswith(f"{field}.") for name in after)
    for name, value in base.items():
        if name not in patch:
            assert found[name] == value


@given(WHOLE, PARTS, PARTS)
def test_two_parts_as_one_do_what_they_do_one_after_the_other(base: Any, one: Any, two: Any) -> None:
    assert merged(base, composed(one, two)) == merged(merged(base, one), two)


@given(WHOLE, WHOLE)
def test_what_a_part_said_is_gone_once_it_is_taken_away_again(base: Any, part: Any) -> None:
    before, named = Policies.model_validate(base), _fields(as_part(part))
    document = merged(as_document(before), as_part(part))
    assert whole(document) == whole(merged(document, as_part(part)))
    for field in named:
        document = merged(document, _with_nulls({}, [field]))
    for kind in {"extend", "quantum"} & set(part):  # what has no default has to be whole, or not there
        document = merged(document, {kind: None})
    left = dict(leaves(said(whole(document))))
    assert not set(named) & set(left)
    for field, value in leaves(said(before)):
        if field not in named and field.partition(".")[0] not in {"extend", "quantum"}:
            assert left[field] == value


@given(WHOLE, WHOLE)
def test_differences_name_what_is_different_and_nothing_else(one: Any, other: Any) -> None:
    before, after = Policies.model_validate(one), Policies.model_validate(other)
    named = differences(before, after)
    assert (named == ()) == (before == after)
    assert differences(after, before) == named


# --- named sets --------------------------------------------------------------------------------------------


def request(**fields: Any) -> JobRequest:
    return JobRequest(definition=definition(), market=MARKET, timeout="10m", **fields)


def test_a_request_goes_before_its_set_down_to_single_fields() -> None:
    own = {"extend": {"max_cost": 5}, "stop": {"after": None}, "poll": {"every": "1m"}}
    found = request(policy="overnight", policies=own).with_set(SETS)
    assert found.spec().policy == "overnight"
    assert said(found.spec().policies) == {
        "poll": {"every": "1m"},
        "extend": {"by": "30m", "max_runtime": "8h", "max_cost": "5.000"},
        "stop": {"max_cost": "2.500"},
    }
    assert found.with_set(SETS) == found
    assert request().with_set(SETS) == request()


def test_a_set_may_be_made_whole_by_the_request_and_not_only_the_other_way_round() -> None:
    found = request(policy="cheap", policies=[{"kind": "extend", "by": "1h"}]).with_set(SETS)
    assert said(found.spec().policies) == {
        "extend": {"by": "1h"},
        "credit": {"max_rate_per_hour": "0.050"},
    }


@pytest.mark.parametrize(
    ("fields", "said_"),
    [
        (
            {"policy": "overnite"},
            "policy: there is no set of policies 'overnite'; there are: cheap, overnight",
        ),
        ({"policy": "cheap", "policies": {"extend": {"max_cost": 5}}}, "policies.extend.by: is missing"),
    ],
)
def test_what_cannot_be_made_whole_is_refused(fields: dict[str, Any], said_: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        with_sets([request(), request(**fields)], SETS)
    assert [str(fault) for fault in caught.value.faults] == [f"requests[1].{said_}"]


def test_without_sets_a_request_is_told_where_they_come_from() -> None:
    with pytest.raises(InvalidRequest, match="DISPATCHER_POLICIES_FILE"):
        request(policy="overnight").with_set({})


def test_the_set_cannot_be_forgotten() -> None:
    with pytest.raises(Bug, match="overnight"):
        request(policy="overnight").spec()


def test_faults_of_a_requests_own_part_come_at_once_with_all_others() -> None:
    with pytest.raises(InvalidRequest) as caught:
        JobRequest(definition=definition(), policy="x y", policies={"stop": {"after": "5"}}, timeout="5")
    assert sorted(fault.path for fault in caught.value.faults) == [
        "market",
        "policies.stop.after",
        "policy",
        "timeout",
    ]
    with pytest.raises(InvalidRequest) as caught:
        JobRequest(definition={}, market=MARKET, timeout="5m", policy="x", policies={"stop": 5})
    assert {"policies.stop", "definition.version"} <= {fault.path for fault in caught.value.faults}


def test_the_fingerprint_is_of_what_was_asked_for_not_of_what_stands_in_the_set() -> None:
    own = {"stop": {"after": "3h"}}
    asked = request(policy="overnight", policies=own)
    other_sets = {"overnight": {"poll": {"every": "1m"}}}
    prints = {
        asked.fingerprint(),
        asked.with_set(SETS).fingerprint(),
        asked.with_set(other_sets).fingerprint(),
    }
    assert prints == {request(policy="overnight", policies={"stop": {"after": "180m"}}).fingerprint()}
    others = [
        request(policy="overnight"),
        request(policy="cheap", policies=own),
        request(policies=own),
        request(policy="overnight", policies={"stop": {"after": None}}),
    ]
    assert len({asked.fingerprint(), *(other.fingerprint() for other in others)}) == 5


def test_a_request_that_is_written_down_reads_back_as_it_was_asked() -> None:
    for asked in (
        request(policy="overnight", policies={"stop": {"after": None}}),
        request(policies={"quantum": "1h"}),
    ):
        for written in (asked.model_dump(mode="json"), asked.with_set(SETS).model_dump(mode="json")):
            again = JobRequest.parse(json.loads(json.dumps(written)))
            assert again.fingerprint() == asked.fingerprint()
            assert again.with_set(SETS).spec() == asked.with_set(SETS).spec()


@pytest.mark.parametrize(
    ("document", "faults"),
    [
        ({"a": {"extend": {}}, "b": {"x": 1}, "c d": {}, "stop": {"after": "3h"}, "e": 5},
         ["a.extend.by: is missing", "b.x: is not a field of a policy", "c d: may have letters",
          "stop: is a kind of policy, not the name of a set", "e: must be an object"]),
        ([], ["policies: must be an object"]),
        ("x", ["policies: must be an object"]),
    ],
)  # fmt: skip
def test_all_faults_of_all_sets_are_named_at_once(document: Any, faults: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_sets(document)
    found = [str(fault) for fault in caught.value.faults]
    assert len(found) == len(faults)
    assert all(one.startswith(other) for one, other in zip(found, faults, strict=True))
