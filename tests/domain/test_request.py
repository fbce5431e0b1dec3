"""A request is validated whole: every fault at once, each with its path, and nothing of what may be secret."""

import copy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from dispatcher.domain.definition import canonical_json
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.policies import ExtendPolicy, Policies
from dispatcher.domain.request import DEFINITION_AT_MOST, JobRequest, parse_many
from tests.domain.made import DEFINITION, EVERYTHING, MARKET, NODE, fields, request


def faults(**changes: Any) -> dict[str, str]:
    """The faults of a request by their paths, which must be the same for both ways of making one."""
    found = []
    for make in (lambda asked: JobRequest(**asked), JobRequest.parse):
        with pytest.raises(InvalidRequest) as refused:
            make(fields(**changes))
        found.append({fault.path: fault.message for fault in refused.value.faults})
        assert len(found[-1]) == len(refused.value.faults)
    assert found[0] == found[1]
    return found[0]


def test_a_plain_request_is_taken_with_the_defaults() -> None:
    asked = request()
    assert asked.definition == DEFINITION
    assert (asked.market, asked.timeout, asked.account) == ("nvidia-3060", timedelta(minutes=30), "default")
    assert (asked.request_id, asked.node, asked.priority, asked.labels) == (None, None, 0, {})
    assert asked.policies == Policies()


def test_both_ways_of_asking_give_the_same() -> None:
    decoded = JobRequest.parse(fields(**EVERYTHING))
    made = JobRequest(
        definition=DEFINITION,
        market=MARKET,
        timeout=timedelta(minutes=45),
        policies=Policies.model_validate(EVERYTHING["policies"]),
        request_id="order-17",
        account="team-a",
        node=NODE,
        priority=5,
        labels={"env": "prod", "customer": "a b"},
    )
    assert decoded == made
    assert decoded.fingerprint() == made.fingerprint()
    assert decoded.document() == made.document()
    assert decoded.policies.extend == ExtendPolicy(
        by=timedelta(minutes=30), margin=timedelta(minutes=2), max_cost=Decimal("2.5"), max_times=4
    )
    assert decoded.policies.stop.at == datetime(2027, 12, 24, 17, tzinfo=UTC)


def test_every_fault_is_named_at_once() -> None:
    definition = copy.deepcopy(DEFINITION)
    definition["version"] = 2
    definition["ops"][0]["args"]["image"] = None
    found = faults(
        definition=definition,
        market="NOT A MARKET",
        timeout=30,
        node="0OIl",
        priority=101,
        account="a b",
        request_id="",
        labels={"ok": "x" * 201, "not ok": "x", "number": 1},
        polices={},
        policies={
            "poll": {"every": 30, "evry": "30s"},
            "extend": {"margin": "1m", "max_cost": "free"},
            "stop": {"at": "2027-12-24T18:00:00", "max_cost": 0},
            "credit": {"when_short": "panic"},
        },
    )
    assert set(found) == {
        "definition.version",
        "definition.ops[0].args.image",
        "market",
        "timeout",
        "node",
        "priority",
        "account",
        "request_id",
        "labels.ok",
        "labels.not ok.[key]",
        "labels.number",
        "polices",
        "policies.poll.every",
        "policies.poll.evry",
        "policies.extend.by",
        "policies.extend.max_cost",
        "policies.stop.at",
        "policies.stop.max_cost",
        "policies.credit.when_short",
    }
    assert found["polices"] == "is not a field of a request; see the README for those that are"
    assert found["policies.extend.by"] == "is missing"
    assert found["timeout"].startswith("a duration needs a unit; write it with its unit: 90s, 30m")
    assert "dispatcher markets" in found["market"]


def test_the_message_lists_every_fault_with_its_path() -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(market="NO", timeout="5")
    lines = str(refused.value).splitlines()
    assert lines[0] == "2 faults in the request:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["market", "timeout"]
    with pytest.raises(InvalidRequest, match=r"^1 fault in the request:\n  market: "):
        request(market="NO")


def test_what_is_missing_is_named() -> None:
    assert faults(definition=None, market=None, timeout=None) == dict.fromkeys(
        ("definition", "market", "timeout"), "is missing"
    )


@pytest.mark.parametrize("asked", [None, [], "definition", 5, b"{}", {1: 2}, [("market", "a")]])
def test_what_is_no_object_is_refused(asked: object) -> None:
    with pytest.raises(InvalidRequest, match="request: must be an object with a definition"):
        JobRequest.parse(asked)


@pytest.mark.parametrize("name", ["self", "cls", "fields", "spec", "model_config", "__init__", "a b"])
def test_no_name_of_a_field_does_harm(name: str) -> None:
    assert faults(**{name: 1}) == {name: "is not a field of a request; see the README for those that are"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"definition": "{}"}, "definition"),
        ({"definition": []}, "definition"),
        ({"definition": 5}, "definition"),
        ({"market": 5}, "market"),
        ({"market": ""}, "market"),
        ({"market": "a/b"}, "market"),
        ({"market": MARKET + "\n"}, "market"),
        ({"market": "nvidia-3060\n"}, "market"),
        ({"market": "x" * 81}, "market"),
        ({"timeout": "59s"}, "timeout"),
        ({"timeout": "100h1s"}, "timeout"),
        ({"timeout": "1800"}, "timeout"),
        ({"timeout": "-30m"}, "timeout"),
        ({"policies": "none"}, "policies"),
        ({"policies": [{"every": "30s"}]}, "policies"),
        ({"policies": [{"kind": "stop"}, {"kind": "stop"}]}, "policies"),
        ({"policies": {"version": 2}}, "policies.version"),
        ({"policies": {"kind": "poll"}}, "policies.kind"),
        ({"request_id": 17}, "request_id"),
        ({"request_id": "x" * 201}, "request_id"),
        ({"account": ""}, "account"),
        ({"account": "-a"}, "account"),
        ({"account": "a\n"}, "account"),
        ({"node": NODE + "\n"}, "node"),
        ({"node": ""}, "node"),
        ({"priority": "high"}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"priority": -101}, "priority"),
        ({"labels": ["a"]}, "labels"),
        ({"labels": {str(n): "" for n in range(21)}}, "labels"),
    ],
)
def test_a_wrong_value_is_refused_where_it_is(changes: dict[str, Any], path: str) -> None:
    assert set(faults(**changes)) == {path}


@pytest.mark.parametrize(
    "changes",
    [
        {"timeout": "1m"},
        {"timeout": "100h"},
        {"timeout": "PT1H"},
        {"timeout": timedelta(hours=1)},
        {"market": "a"},
        {"market": MARKET},
        {"node": NODE},
        {"priority": -100},
        {"labels": {str(n): "x" * 200 for n in range(20)}},
        {"request_id": "x" * 200},
        {"definition": MappingProxyType(DEFINITION)},
    ],
)
def test_values_at_their_bounds_are_taken(changes: dict[str, Any]) -> None:
    assert request(**changes) == JobRequest.parse(fields(**changes))


def test_a_definition_that_is_too_large_is_refused() -> None:
    def sized(size: int) -> dict[str, Any]:
        definition = copy.deepcopy(DEFINITION)
        definition["ops"][0]["args"]["cmd"] = ""
        definition["ops"][0]["args"]["cmd"] = "x" * (size - len(canonical_json(definition)))
        return definition

    assert len(request(definition=sized(DEFINITION_AT_MOST)).document()) == DEFINITION_AT_MOST
    assert faults(definition=sized(DEFINITION_AT_MOST + 1)) == {
        "definition": "is larger than 262144 bytes: keep data out of it"
    }


CANARY = "nos_Canary7h4tMustN0tSing"


def tells_nothing(**changes: Any) -> None:
    """The request is refused, and no text of the error, nor of what Python keeps behind it, has the canary."""
    with pytest.raises(InvalidRequest) as refused:
        request(**changes)
    assert refused.value.__cause__ is None
    assert CANARY not in str([fault.as_dict() for fault in refused.value.faults])
    error: BaseException | None = refused.value
    while error is not None:
        assert CANARY not in f"{error} {error!r}"
        error = error.__context__


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(version=CANARY),
        lambda d: d["ops"][0]["args"].update(image=None),
        lambda d: d["ops"][0]["args"].update(env={"TOKEN": [CANARY]}),
        lambda d: d["ops"][0]["args"].update(env=CANARY),
        lambda d: d["ops"][0]["args"].update(expose=CANARY),
        lambda d: d["ops"][0].update(type=CANARY),
        lambda d: d.update(ops=CANARY),
        lambda d: d.update(meta=CANARY),
        lambda d: d["ops"][0]["args"].update(gpu=CANARY),
        lambda d: d.update(when=datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_no_secret_of_the_definition_is_in_any_error(spoil: Any) -> None:
    definition = copy.deepcopy(DEFINITION)
    definition["ops"][0]["args"]["env"] = {"TOKEN": CANARY}
    spoil(definition)
    for changes in ({}, {"market": "NO", "timeout": 30, "labels": {"a": 1}, "policies": {"stop": 1}}):
        tells_nothing(definition=definition, **changes)


@pytest.mark.parametrize("definition", [CANARY, [CANARY], {1: CANARY}, CANARY.encode()])
def test_a_definition_that_is_no_object_is_not_told_either(definition: object) -> None:
    tells_nothing(definition=definition, market="NO")


def test_a_request_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        request().market = "other"  # type: ignore[misc] # what is refused


def test_many_are_parsed_all_or_none() -> None:
    made = request(request_id="a")
    assert parse_many([made, fields(request_id="b")]) == [made, request(request_id="b")]
    assert parse_many([]) == []


def test_the_faults_of_many_say_whose_they_are() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_many(
            [fields(), fields(market="NO", timeout=1), None, fields(definition={**DEFINITION, "ops": 1})]
        )
    assert [fault.path for fault in refused.value.faults] == [
        "requests[1].market",
        "requests[1].timeout",
        "requests[2].request",
        "requests[3].definition.ops",
    ]


def test_the_faults_of_one_need_not_say_whose_they_are() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_many([fields(market="NO")])
    assert [fault.path for fault in refused.value.faults] == ["market"]
