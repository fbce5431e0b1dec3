"""Requests from files, named sets, and the policies of a job, from the command line: a whole world in this process."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from dispatcher import client, handle, spending
from dispatcher.cli import main
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.policies.written import parse_sets, said
from dispatcher.domain.request import JobRequest
from dispatcher.engine import intake
from tests.world import MARKET, World, definition

SETS = {
    "overnight": {"extend": {"by": "30m", "max_runtime": "8h"}, "stop": {"max_cost": "2.50"}},
    "cheap": {"credit": {"max_rate_per_hour": "0.05"}},
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    made = World()
    made.parts = replace(made.parts, policy_sets=parse_sets(SETS))
    monkeypatch.setattr(client, "_parts", lambda: made.parts)
    for module, name in ((handle, "_user"), (spending, "user")):
        monkeypatch.setattr(module, name, lambda: "ada")
    (tmp_path / "sets.yaml").write_text(yaml.safe_dump(SETS))
    monkeypatch.setenv("DISPATCHER_ENV_FILE", "")
    monkeypatch.setenv("DISPATCHER_POLICIES_FILE", str(tmp_path / "sets.yaml"))
    monkeypatch.chdir(tmp_path)
    return made


def run(*command: str, code: int = 0, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(main, command, input=stdin)
    assert result.exit_code == code, result.output
    return result


def told(*command: str, stdin: str | None = None) -> Any:
    # Logs are not configured here and go to stdout too; what was asked for comes last.
    return json.loads(run(*command, "--json", stdin=stdin).stdout.splitlines()[-1])


def write(name: str, document: Any) -> str:
    Path(name).write_text(yaml.safe_dump(document) if name.endswith("l") else json.dumps(document))
    return name


def spec_of(world: World, *command: str, stdin: str | None = None) -> Any:
    return world.job(told("enqueue", *command, stdin=stdin)["id"]).spec


REQUEST = {
    "definition": definition(),
    "market": MARKET,
    "timeout": "20m",
    "policies": {"extend": {"by": "30m"}, "stop": {"max_cost": 1}},
    "labels": {"team": "a", "env": "prod"},
    "priority": 3,
}

TOML = """
market = "nvidia-3060"
timeout = "20m"
[labels]
team = "a"
[policies.stop]
at = 2027-12-24T18:00:00+01:00
[definition]
version = "0.1"
type = "container"
[[definition.ops]]
type = "container/run"
id = "main"
args = {image = "ubuntu", cmd = "echo on"}
"""


# --- files -------------------------------------------------------------------------------------------------


def test_a_whole_request_may_come_in_any_format(world: World) -> None:
    spec = spec_of(world, write("a.yaml", REQUEST))
    assert spec == JobRequest.parse(REQUEST).spec()
    assert spec_of(world, write("a.json", REQUEST)) == spec
    assert spec_of(world, "-", stdin=yaml.safe_dump(REQUEST)) == spec
    assert spec_of(world, "-", stdin=json.dumps(REQUEST)) == spec
    Path("a.toml").write_text(TOML)
    assert said(spec_of(world, "a.toml").policies) == {"stop": {"at": "2027-12-24T18:00:00+01:00"}}


def test_a_definition_may_come_in_any_format_with_the_rest_as_options(world: World) -> None:
    for name in ("a.yaml", "a.json"):
        spec = spec_of(world, write(name, definition()), "--market", MARKET, "--timeout", "5m")
        assert (spec.market, spec.timeout.total_seconds(), spec.policies.extend) == (MARKET, 300, None)
    missing = run("enqueue", "a.yaml", code=2).stderr
    assert "market: is missing" in missing
    assert "timeout: is missing" in missing


def test_options_go_before_the_file_field_by_field(world: World) -> None:
    spec = spec_of(
        world,
        write("a.yaml", REQUEST),
        *("--timeout", "5m", "--label", "team=b", "--priority", "0", "--max-cost", "2", "--max-runtime", "4h"),
        *("--set", "extend.by=1h", "--set", "stop.after=9h", "--set", "stop.after=3h", "--set", "poll.every=1m"),
        *("--set", "retry.on=[failed, host_quit]", "--set", "retry.elsewhere=[{market: other}]"),
    )  # fmt: skip
    assert (spec.timeout.total_seconds(), spec.labels, spec.priority) == (
        300,
        {"team": "b", "env": "prod"},
        0,
    )
    assert said(spec.policies) == {
        "poll": {"every": "1m"},
        "extend": {"by": "1h", "max_runtime": "4h"},
        "stop": {"after": "3h", "max_cost": "2.000"},
        "retry": {"on": ["failed", "host_quit"], "elsewhere": [{"market": "other"}]},
    }
    assert said(spec_of(world, "a.yaml", "--set", "extend=null", "--set", "stop.max_cost=~").policies) == {}


@pytest.mark.parametrize(
    ("written", "said_"),
    [
        ("extend.by", "write FIELD=VALUE"),
        ("extend..by=5m", "write FIELD=VALUE"),
        ("extend.by=", "has no value"),
        ("retry.on=[failed", "line 1, column"),
    ],
)
def test_overrides_that_are_none_are_refused(world: World, written: str, said_: str) -> None:
    assert said_ in run("enqueue", write("a.yaml", REQUEST), "--set", written, code=2).stderr


def test_what_is_wrong_in_a_file_is_told_with_its_place_and_with_all_faults(world: World) -> None:
    Path("a.yaml").write_text("definition: {}\ndefinition: {}")
    assert "a.yaml: line 2, column 1: a name stands twice" in run("enqueue", "a.yaml", code=2).stderr
    wrong = {**REQUEST, "policies": [{"kind": "stop", "after": "5"}], "timeout": "5", "x": 1}
    faults = run("enqueue", write("b.yaml", wrong), "--policy", "cheap", code=2).stderr
    for path in ("timeout:", "policies.stop.after:", "x:"):
        assert path in faults
    assert "names its kind" in run("enqueue", write("c.yaml", {**REQUEST, "policies": [{}]}), code=2).stderr
    assert world.parts.store.list_jobs() == []


def test_plan_takes_the_same_files_and_options(world: World) -> None:
    write("a.yaml", {**REQUEST, "policies": {}, "timeout": "1h"})
    plain = told("plan", "a.yaml", "--rate", "3.6", "--runs-for", "90m")
    assert (plain["ends"]["reason"], plain["cost"]["expected_usd"]) == ("timed_out", "3.600")
    longer = told("plan", "a.yaml", "--rate", "3.6", "--runs-for", "90m", "--set", "extend.by=1h")
    assert (longer["ends"]["reason"], longer["extends"]) == ("finished", 1)
    by_set = told("plan", "a.yaml", "--rate", "3.6", "--runs-for", "90m", "--policy", "overnight")
    assert (by_set["ends"]["reason"], by_set["cost"]["expected_usd"]) == ("max_cost", "2.490")
    assert (
        "there are: cheap, overnight" in run("plan", "a.yaml", "--rate", "1", "--policy", "x", code=2).stderr
    )


# --- named sets --------------------------------------------------------------------------------------------


def test_a_set_is_taken_in_where_the_request_is_stored_and_options_go_before_it(world: World) -> None:
    file = write("a.json", definition())
    spec = spec_of(
        world, file, *("--market", MARKET, "--timeout", "5m", "--policy", "overnight"),
        *("--extend-by", "1h", "--set", "stop.max_cost=null", "--request-id", "k"),
    )  # fmt: skip
    assert spec.policy == "overnight"
    assert said(spec.policies) == {"extend": {"by": "1h", "max_runtime": "8h"}}
    unclear = run("enqueue", file, "--policy", "cheap", "--max-runtime", "4h", code=2).stderr
    assert "--set extend.max_runtime" in unclear
    unknown = run("enqueue", file, "--market", MARKET, "--timeout", "5m", "--policy", "none", code=2).stderr
    assert "policy: there is no set of policies 'none'; there are: cheap, overnight" in unknown


def test_a_set_that_changed_does_not_make_repeats_conflict(world: World) -> None:
    asked = {**REQUEST, "policies": {"stop": {"after": "3h"}}, "policy": "overnight", "request_id": "k"}
    first = intake.enqueue(world.parts, [JobRequest.parse(asked)])[0]
    other = parse_sets({"overnight": {"stop": {"max_cost": 9}}})
    world.parts = replace(world.parts, policy_sets=other)
    again = intake.enqueue(world.parts, [JobRequest.parse(asked)])[0]
    assert (again.id, again.new, again.same_request) == (first.id, False, True)
    assert said(world.job(first.id).spec.policies)["stop"] == {"after": "3h", "max_cost": "2.500"}


def test_where_the_sets_are_not_known_nothing_is_stored_without_them(world: World) -> None:
    bare = replace(world.parts, policy_sets={})
    with pytest.raises(InvalidRequest, match="DISPATCHER_POLICIES_FILE"):
        intake.enqueue(bare, [JobRequest.parse({**REQUEST, "policy": "overnight"})])
    assert world.parts.store.list_jobs() == []


def test_sets_are_listed_and_files_checked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told("policies") == {
        "overnight": {"extend": {"by": "30m", "max_runtime": "8h"}, "stop": {"max_cost": "2.500"}},
        "cheap": {"credit": {"max_rate_per_hour": "0.050"}},
    }
    listed = run("policies").stdout
    assert "overnight:\n  extend.by           30m\n" in listed
    assert run("policies", "check", "sets.yaml").stdout == listed + "valid: 2 named sets\n"
    one = run(
        "policies", "check", write("one.yaml", [{"kind": "extend", "by": "1h"}, {"kind": "retry"}])
    ).stdout
    assert one == "extend.by  1h\nretry      as by default\nvalid: policies of one request\n"
    Path("one.toml").write_text('quantum = "30m"\n')
    assert told("policies", "check", "one.toml") == {"quantum": {"step": "30m"}}
    wrong = run("policies", "check", write("w.yaml", {"a": {"extend": {}}, "b": {"x": 1}}), code=2).stderr
    assert "a.extend.by: is missing" in wrong
    assert "b.x: is not a field" in wrong
    assert "policies.extend.by" in run("policies", "check", write("v.yaml", {"extend": {}}), code=2).stderr
    monkeypatch.setenv("DISPATCHER_POLICIES_FILE", "w.yaml")
    assert "DISPATCHER_POLICIES_FILE: a.extend.by: is missing" in run("policies", code=1).stderr
    monkeypatch.setenv("DISPATCHER_POLICIES_FILE", "")
    assert "DISPATCHER_POLICIES_FILE names the file" in run("policies").stderr


# --- the policies of a job ---------------------------------------------------------------------------------


def test_a_jobs_policies_are_shown_changed_and_shown_with_who_changed_what(world: World) -> None:
    job_id = told("enqueue", write("a.yaml", {**REQUEST, "policies": {}, "policy": "overnight"}))["id"]
    world.run_for(60)
    shown = run("policy", job_id).stdout
    assert "set    overnight\n" in shown
    assert "extend.max_runtime  8h\n" in shown

    asked = run(
        "policy", job_id, "set", "stop.after=3h", "extend.max_cost=5", "--unset", "stop.max_cost"
    ).stdout
    assert asked == (
        f"{job_id}  change asked for\nextend.max_cost  5.000\nstop.after       3h\nstop.max_cost    default\n"
    )
    world.work()
    assert told("policy", job_id) == {
        **{"id": job_id, "state": "running", "set": "overnight"},
        "policies": {
            "extend": {"by": "30m", "max_runtime": "8h", "max_cost": "5.000"},
            "stop": {"after": "3h"},
        },
        "changes": [
            {
                **{"at": "2027-01-15T08:01:00Z", "by": "ada", "refused": None},
                "changed": ["extend.max_cost", "stop.after", "stop.max_cost"],
            }
        ],
    }
    shown = run("policy", job_id).stdout
    assert "overnight (changed since it was enqueued)" in shown
    assert "2027-01-15T08:01:00Z  ada  extend.max_cost, stop.after, stop.max_cost" in shown


def test_a_change_may_come_from_a_file_and_tells_what_is_worth_knowing(world: World) -> None:
    job_id = told("enqueue", write("a.yaml", REQUEST))["id"]
    world.run_for(60)
    write("p.yaml", [{"kind": "stop", "max_cost": "0.001"}, {"kind": "quantum", "step": "10m"}])
    found = told("policy", job_id, "set", "quantum.step=20m", "--file", "p.yaml")
    assert (found["asked"], found["changed"]) == (True, ["quantum.step", "stop.max_cost"])
    assert found["policies"]["quantum"] == {"step": "20m"}
    assert [note for note in found["notes"] if "$0.016 is committed already" in note]
    assert "note: $0.016 is committed" in run("policy", job_id, "set", "stop.max_cost=0.001").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said_"),
    [
        (("stop.after=3h",), 2, "write: policy ID set FIELD=VALUE"),
        (("set",), 2, "say what to change"),
        (("set", "stop.after"), 2, "write FIELD=VALUE"),
        (("set", "stop.after=5", "x.y=1"), 2, "2 faults"),
        (("--unset", "extend.by"), 2, "policies.extend.by: is missing"),
        (("--file", "list.yaml"), 2, "names its kind"),
    ],
)
def test_what_is_no_change_is_refused(
    world: World, arguments: tuple[str, ...], code: int, said_: str
) -> None:
    write("list.yaml", [{"after": "3h"}])
    job_id = told("enqueue", write("a.yaml", REQUEST))["id"]
    assert said_ in run("policy", job_id, *arguments, code=code).stderr
    world.work()
    assert "policies_changed" not in world.kinds(job_id)


def test_jobs_that_are_over_and_unknown_ones_are_told_apart(world: World) -> None:
    job_id = told("enqueue", write("a.yaml", REQUEST))["id"]
    world.run()
    assert (
        "cannot be changed: the job is completed"
        in run("policy", job_id, "set", "stop.after=3h", code=1).stderr
    )
    assert told("policy", job_id)["state"] == "completed"
    assert "no job" in run("policy", "job_none", code=1).stderr


def test_a_handle_says_who_asked_and_takes_policies_made_in_python(world: World) -> None:
    job_id = told("enqueue", write("a.yaml", REQUEST))["id"]
    world.run_for(60)
    found = client.get_job(job_id).update_policies({"extend": None}, by="scheduler")
    assert found.changed == ("extend.by",)
    world.work()
    (change,) = client.get_job(job_id).policies()["changes"]
    assert (change["by"], change["changed"]) == ("scheduler", ["extend.by"])
