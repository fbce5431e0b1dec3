"""What a request is known by: its fingerprint, its spec, the bytes of its definition."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain.definition import canonical_json
from dispatcher.domain.policies import Policies, StopPolicy
from dispatcher.domain.request import JobRequest, JobSpec
from tests.domain.made import DEFINITION, EVERYTHING, MARKET, NODE, fields, request


def turned(value: Any) -> Any:
    """The same JSON with the keys of every object in the opposite order."""
    if isinstance(value, Mapping):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


OTHERS: list[dict[str, Any]] = [
    {"definition": {**DEFINITION, "meta": {"trigger": "cli"}}},
    {"definition": {**DEFINITION, "ops": []}},
    {"market": MARKET},
    {"timeout": "31m"},
    {"timeout": timedelta(minutes=30, microseconds=1)},
    {"request_id": "b"},
    {"account": "other"},
    {"node": NODE},
    {"priority": 1},
    {"policy": "overnight"},
    {"after": ["job_000000000000000000000001"]},
    {
        "after": ["job_000000000000000000000001"],
        "take": {"definition.ops[0].args.cmd": {"job": "job_000000000000000000000001"}},
    },
    {"callback": "app.ended"},
    {"labels": {"a": "b"}},
    {"labels": {"a": "c"}},
    {"allow_secrets": ["definition.ops[0].args.env.TOKEN"]},
    {"policies": {"poll": {"every": "31s"}}},
    {"policies": {"extend": {"by": "30m"}}},
    {"policies": {"extend": {"by": "30m", "margin": "1m"}}},
    {"policies": {"extend": {"by": "30m", "max_times": 1}}},
    {"policies": {"stop": {"after": "1h"}}},
    {"policies": {"stop": {"max_cost": "1"}}},
    {"policies": {"stop": {"at": "2027-01-01T00:00:00Z"}}},
    {"policies": {"credit": {"when_short": "fail"}}},
    {"policies": {"credit": {"wait_at_most": "1h"}}},
]


def test_equal_requests_have_equal_fingerprints() -> None:
    asked = fields(**EVERYTHING)
    assert request(**EVERYTHING).fingerprint() == JobRequest.parse(turned(asked)).fingerprint()
    assert list(turned(asked)) != list(asked)


@pytest.mark.parametrize(
    "same",
    [
        {"timeout": "1800s"},
        {"timeout": "PT30M"},
        {"timeout": timedelta(minutes=30)},
        {"priority": 0},
        {"labels": {}},
        {"account": "default"},
        {"policies": {}},
        {"policies": {"poll": {"every": "30s"}, "stop": {}}},
        {"policies": Policies()},
    ],
)
def test_the_same_said_otherwise_has_the_same_fingerprint(same: dict[str, Any]) -> None:
    assert request(**same).fingerprint() == request().fingerprint()


def test_whatever_differs_makes_another_fingerprint() -> None:
    fingerprints = {request(**changes).fingerprint() for changes in [{}, *OTHERS]}
    assert len(fingerprints) == 1 + len(OTHERS)
    assert {name for changes in OTHERS for name in changes} == set(JobRequest.model_fields)


def test_an_allowance_counts_only_where_there_is_one() -> None:
    """Fingerprints that were stored before there were any are compared with those of requests enqueued again."""
    asked = request(**EVERYTHING)
    spec = asked.spec().model_dump(mode="json", exclude_defaults=True)
    text = json.dumps([spec, DEFINITION], sort_keys=True, separators=(",", ":"))
    assert asked.fingerprint() == hashlib.sha256(text.encode()).hexdigest()
    allowing = request(**EVERYTHING, allow_secrets=["b", "a"]).fingerprint()
    assert (
        allowing == request(**EVERYTHING, allow_secrets=["a", "b", "a"]).fingerprint() != asked.fingerprint()
    )


def test_a_fingerprint_is_a_sha_256_and_gives_nothing_away() -> None:
    assert len(bytes.fromhex(request().fingerprint())) == 32


TEXT = st.text().filter(lambda text: "nos_" not in text)
"""Texts that do not look like a key; Hypothesis tries literals of the code under test, and that one is."""


@settings(deadline=None)  # a text may look like a secret, and the first such text loads the scanner
@given(st.dictionaries(TEXT, TEXT | st.integers() | st.lists(TEXT), max_size=5))
def test_a_fingerprint_can_be_had_of_whatever_is_valid(meta: dict[str, Any]) -> None:
    meta.pop("system_resources", None)  # has a form of its own
    asked = request(definition={**DEFINITION, "meta": {**meta, "trigger": "cli"}})
    again = request(definition=turned(asked.definition))
    assert asked.fingerprint() == again.fingerprint()
    assert (
        again.fingerprint()
        == JobRequest.parse(json.loads(json.dumps(fields(definition=asked.definition)))).fingerprint()
    )


def test_the_spec_is_the_request_without_its_definition() -> None:
    spec = request(**EVERYTHING).spec()
    assert type(spec) is JobSpec
    assert spec == JobSpec.model_validate(EVERYTHING)
    assert "definition" not in spec.model_dump()


def test_a_spec_survives_json() -> None:
    spec = request(**EVERYTHING).spec()
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert JobSpec.model_validate(json.loads(json.dumps(spec.model_dump(mode="json")))) == spec


@given(
    st.timedeltas(timedelta(minutes=1), timedelta(hours=100)),
    st.timedeltas(timedelta(microseconds=1), timedelta(days=3650)),
    st.decimals("0.000001", 10**9, places=6),
    st.dictionaries(st.from_regex(r"\A[a-z0-9][a-z0-9._-]{0,9}\Z"), st.text(max_size=200), max_size=20),
)
def test_any_spec_survives_json(
    timeout: timedelta, after: timedelta, max_cost: Decimal, labels: dict[str, str]
) -> None:
    policies = Policies(stop=StopPolicy(after=after, max_cost=max_cost))
    spec = JobSpec(market="m", timeout=timeout, policies=policies, labels=labels)
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec


def test_the_document_is_what_is_pinned() -> None:
    assert request().document() == canonical_json(DEFINITION)
    assert json.loads(request().document()) == DEFINITION
