"""What a definition says about its job, and the light check of its structure."""

import json
from pathlib import Path
from typing import Any

import pytest

from dispatcher.simulator.behaviour import Behaviour, Defaults, behaviour_of, seconds
from dispatcher.simulator.definitions import read_definition

_VERDICTS = Path(__file__).parents[2] / "../shared/data/definition-verdicts.jsonl"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("90s", 90),
        ("20m", 1200),
        ("1h30m", 5400),
        ("1d", 86400),
        ("1d2h3m4s", 93784),
        ("0.5h", 1800),
        ("90", 90),
        (" 90 ", 90),
        (90, 90),
        (1.5, 1.5),
        (0, 0),
    ],
)
def test_durations(written: Any, expected: float) -> None:
    assert seconds(written) == expected


@pytest.mark.parametrize(
    "written", ["", "m", "30m1h", "1h 30m", "-5", -1, "nan", "inf", float("inf"), True, None, [1]]
)
def test_what_is_no_duration(written: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        seconds(written)


def test_behaviour_is_read_from_meta() -> None:
    wanted = {"runs_for": "20m", "exit_code": 3, "queued_for": 60, "host_quits_after": "5m", "output": "x"}
    found, faults = behaviour_of({"trigger": "cli", "simulated": {**wanted, "results_after": "10s"}})
    assert not faults
    assert found == Behaviour(
        runs_for=1200, exit_code=3, queued_for=60, host_quits_after=300, output="x", results_after=10
    )


@pytest.mark.parametrize(
    ("simulated", "field"),
    [
        ({"runs_for": "soon"}, "simulated.runs_for"),
        ({"runs_four": "1m"}, "simulated.runs_four"),
        ({"exit_code": 1.5}, "simulated.exit_code"),
        ({"exit_code": 256}, "simulated.exit_code"),
        ({"output": 1}, "simulated.output"),
        ("fast", "simulated"),
    ],
)
def test_wrong_behaviour_is_a_fault_of_the_definition(simulated: Any, field: str) -> None:
    found = read_definition(
        {"version": "0.1", "type": "container", "ops": [], "meta": {"simulated": simulated}}
    )
    assert [path for path, _ in found.faults] == [f"$input.meta.{field}"]


def test_defaults_depend_on_the_cid_alone() -> None:
    first, again, other = (Defaults().for_cid(cid) for cid in ("a", "a", "b"))
    assert first == again != other
    for found in (first, other):
        assert found.runs_for is not None
        assert 120 <= found.runs_for < 360
    assert Defaults(runs_for=7).for_cid("a").runs_for == 7


_OP = {"type": "container/run", "id": "a", "args": {"image": "ubuntu"}}


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        ({"version": "0.1", "type": "container", "ops": [_OP]}, []),
        ({"version": "0.1", "type": "container", "ops": []}, []),
        ({"version": 0.1, "type": "container", "ops": [_OP]}, ["$input.version"]),
        ({"version": "0.1", "type": "vm", "ops": [_OP]}, ["$input.type"]),
        ({"version": "0.1", "type": "container"}, ["$input.ops"]),
        ({"version": "0.1", "type": "container", "ops": [_OP, _OP]}, ["$input.ops[1].id"]),
        ({"version": "0.1", "type": "container", "ops": [1]}, ["$input.ops[0]"]),
        ({"version": "0.1", "type": "container", "ops": [{**_OP, "type": "x"}]}, ["$input.ops[0].type"]),
        ({"version": "0.1", "type": "container", "ops": [{**_OP, "id": 1}]}, ["$input.ops[0].id"]),
        ({"version": "0.1", "type": "container", "ops": [{**_OP, "args": {}}]}, ["$input.ops[0].args.image"]),
        ({"version": "0.1", "type": "container", "ops": [{**_OP, "args": []}]}, ["$input.ops[0].args"]),
        ({"version": "0.1", "type": "container", "ops": [_OP], "meta": None}, ["$input.meta"]),
        ({}, ["$input.version", "$input.type", "$input.ops"]),
        ([], ["$input"]),
        ("text", ["$input"]),
    ],
)
def test_structure(document: Any, paths: list[str]) -> None:
    assert [path for path, _ in read_definition(document).faults] == paths


@pytest.mark.skipif(
    not _VERDICTS.exists(), reason="the validator's recorded verdicts are not on this machine"
)
def test_nothing_is_refused_that_the_networks_validator_accepts() -> None:
    verdicts = [json.loads(line) for line in _VERDICTS.read_text().splitlines()]
    accepted = [verdict for verdict in verdicts if verdict["valid"]]
    assert accepted
    refused = [verdict["name"] for verdict in accepted if read_definition(verdict["definition"]).faults]
    assert refused == []
