"""Verdicts and paths are those of the network's validator; messages help and give nothing away."""

import copy
import datetime
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.definition import validate_definition

HERE = Path(__file__).parent
SHARED = HERE.parents[1].parent / "shared" / "data"
OP: dict[str, Any] = {"type": "container/run", "id": "a", "args": {"image": "ubuntu"}}
PLAIN: dict[str, Any] = {"version": "0.1", "type": "container", "ops": [OP]}
ARGS = "$input.ops[0].args"
_HTTP = {"type": "http", "path": "/", "method": "GET", "expected_status": 200, "continuous": False}
RICH: dict[str, Any] = json.loads(
    (HERE / "test_definition_sweep.jsonl").read_text(encoding="utf-8").splitlines()[0]
)["definition"]
"""A definition with everything in it."""


def with_args(**args: object) -> dict[str, Any]:
    return {**PLAIN, "ops": [{**OP, "args": {"image": "ubuntu", **args}}]}


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


VERDICTS = rows(HERE / "test_definition_verdicts.jsonl")
"""What `validateJobDefinition` of `@nosana/kit` 2.1.8 says: name, definition, valid, paths in their order."""


@pytest.mark.parametrize("row", VERDICTS, ids=[row["name"] for row in VERDICTS])
def test_verdict_and_paths_of_the_networks_validator(row: dict[str, Any]) -> None:
    faults = validate_definition(row["definition"])
    assert [fault.path for fault in faults] == row["paths"]
    assert (faults == ()) == row["valid"]


def test_verdicts_recorded_with_the_published_client() -> None:
    recorded = SHARED / "definition-verdicts.jsonl"
    if not recorded.exists():
        pytest.skip("the recorded verdicts are not beside this checkout (../shared/data)")
    ours = {
        row["name"]: [fault.path for fault in validate_definition(row["definition"])]
        for row in rows(recorded)
    }
    assert ours == {row["name"]: row["paths"] for row in rows(recorded)}


def test_published_definitions_are_valid() -> None:
    published = sorted((SHARED / "definitions").glob("**/*.json"))
    if not published:
        pytest.skip("the published definitions are not beside this checkout (../shared/data)")
    faults = {path: validate_definition(json.loads(path.read_text(encoding="utf-8"))) for path in published}
    assert faults == dict.fromkeys(published, ())


# --- where the network's validator has nothing to say -----------------------------------------------------


def test_a_null_among_the_ports_is_a_fault_where_the_networks_validator_crashes() -> None:
    assert [fault.path for fault in validate_definition(with_args(expose=[80, None]))] == [
        f"{ARGS}.expose[1]"
    ]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_every_number_is_a_number(number: float) -> None:
    assert validate_definition(with_args(expose=number)) == ()


def test_not_a_number_twice_is_one_port_to_a_javascript_set() -> None:
    assert [fault.path for fault in validate_definition(with_args(expose=[float("nan"), float("nan")]))] == [
        f"{ARGS}.expose"
    ]


def test_other_mappings_and_tuples_are_objects_and_arrays() -> None:
    assert validate_definition(MappingProxyType({**PLAIN, "ops": (MappingProxyType(OP),)})) == ()


@pytest.mark.parametrize(
    ("definition", "path", "words"),
    [
        ({**PLAIN, "meta": {"day": datetime.date(2025, 1, 2)}}, "$input.meta.day", "type date"),
        (with_args(env={1: "x"}), f"{ARGS}.env", "keys that are strings"),
        ({True: 1}, "$input", "type bool"),
        (with_args(cmd={"a", "b"}), f"{ARGS}.cmd", "type set"),
        (with_args(expose=[{"port": 1, "health_checks": [{**_HTTP, "body": b"x"}]}]), None, "type bytes"),
        ({"a b": {2: {"x": object()}}}, '$input["a b"]', "type int"),
    ],
)
def test_what_json_cannot_hold_is_a_fault(definition: object, path: str | None, words: str) -> None:
    faults = validate_definition(definition)
    assert path is None or path in [fault.path for fault in faults]
    assert any(words in fault.message for fault in faults)


def nested(levels: int) -> dict[str, Any]:
    body: list[Any] = []
    for _ in range(levels - 1):
        body = [body]
    return with_args(expose={"port": 1, "health_checks": [{**_HTTP, "body": body}]})


def test_nesting_is_bounded() -> None:
    # The body stands on the eighth level: input, ops, operation, args, expose, health_checks, check, body.
    assert validate_definition(nested(493)) == ()
    assert [fault.path for fault in validate_definition(nested(494))] == ["$input"]


def test_a_definition_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {**PLAIN}
    loop["meta"] = {"a": [loop, loop]}
    assert [fault.path for fault in validate_definition(loop)] == ["$input"]


# --- messages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({**PLAIN, "version": 0.1}, 'expected "0.1", found 0.1: write it in quotes'),
        ({**PLAIN, "type": "vm"}, 'expected "container", found "vm": change it'),
        ({"version": "0.1", "type": "container"}, "expected an array of operations, found nothing: add it"),
        ({**PLAIN, "ops": OP}, "expected an array of operations, found an object: put it into an array"),
        ({**PLAIN, "global": None}, "null is never taken: give a value, or leave it out"),
        ({**PLAIN, "ops": [OP, OP]}, 'expected distinct ids, found "a" twice: rename one of the operations'),
        ({**PLAIN, "ops": [OP, {**OP, "id": 2}]}, "operation 1 has none: give it one"),
        (with_args(imag="x"), "remove it or write `image`"),
        (with_args(qqq="x"), "the network refuses what it does not know: remove it"),
        (with_args(required_vram=8), "meta.system_requirements.required_vram"),
        (with_args(gpu="true"), "write true or false, without quotes"),
        (with_args(env={"A": 1}), "expected a string, found a number: write it in quotes"),
        (with_args(expose="80"), 'found "80": write a number, without quotes'),
        (with_args(expose=["80"]), 'found "80": write a number, without quotes'),
        (with_args(expose=[80.0, 80]), "port 80 is listed twice"),
        (with_args(expose=["80-81", "81-82"]), "a range overlaps another"),
        (with_args(expose=[80, "80-81"]), "a range overlaps a port"),
        (with_args(restart_policy="never"), '"no", "always", "unless-stopped" or "on-failure"'),
        (
            with_args(resources=[{"type": "FTP", "target": "/"}]),
            'expected "S3", "HF" or "Ollama", found "FTP"',
        ),
        (with_args(resources=["x"]), "write the resource as an object"),
    ],
)
def test_messages_say_what_was_expected_what_is_there_and_the_way_out(
    definition: object, message: str
) -> None:
    (fault,) = validate_definition(definition)
    assert message in fault.message


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


@pytest.mark.parametrize(
    "secret", ["nos_4f9", "hf_abc", "sk-1", "c29tZSBzZWNyZXQgdGhpbmc", "s3cr3t" * 6, "a-b" * 11]
)
def test_no_message_holds_what_looks_like_a_secret(secret: str) -> None:
    definition = copy.deepcopy(RICH)
    for holder, key in places(definition):
        before = holder[key]
        for wrong in (secret, [secret], {"k": secret}):
            holder[key] = wrong
            assert not any(secret in fault.message for fault in validate_definition(definition))
        holder[key] = before


@pytest.mark.parametrize("value", ["s3cr3t", 271828, True, None, ["s3cr3t"], {"s": "s3cr3t"}])
@pytest.mark.parametrize("name", ["env", "authentication", "IAM", "accessToken", "headers", "variables"])
def test_places_of_secrets_are_told_by_kind_alone(name: str, value: object) -> None:
    definition = copy.deepcopy(RICH)
    for holder, key in [place for place in places(definition) if place[1] == name]:
        inside = places(holder[key]) if isinstance(holder[key], dict) else iter(())
        for inner_holder, inner_key in [*inside, (holder, key)]:
            inner_holder[inner_key] = value
            for fault in validate_definition(definition):
                assert "s3cr3t" not in fault.message
                assert "271828" not in fault.message
                assert "true" not in fault.message


# --- properties -------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["image", "name", "id", "type", "args", "ops", "meta", "expose", "port", "__spread__", "1", "a b"]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(ANY_JSON)
def test_any_document_gets_a_verdict(value: object) -> None:
    for candidate in (
        value,
        {**PLAIN, "ops": [{**OP, "args": value}]},
        {**PLAIN, "meta": value},
        with_args(expose=value),
    ):
        faults = validate_definition(candidate)
        assert all(fault.path.startswith("$input") and fault.message for fault in faults)
        for before, after in itertools.pairwise(faults):
            assert not before.path.startswith(after.path)
