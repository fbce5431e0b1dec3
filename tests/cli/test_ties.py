"""`enqueue --after --take --callback`, and `show`, as people and programs see them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dispatcher import client
from dispatcher.cli.main import main
from tests.world import MARKET, World, definition

PLACE = "definition.ops[0].args.env.IN"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(client, "_parts", lambda: world.parts)
    return world


@pytest.fixture
def file(tmp_path: Path) -> str:
    made = definition()
    made["ops"][0]["args"]["env"] = {"IN": ""}
    path = tmp_path / "job.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    return str(path)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def enqueue(file: str, *options: str) -> Any:
    result = run("enqueue", file, "--market", MARKET, "--timeout", "10m", *options, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_chain_from_the_shell(world: World, file: str) -> None:
    first = enqueue(file, "--request-id", "first", "--callback", "app.ended", "--callback-queue", "app")["id"]
    other = enqueue(file, "--request-id", "other")["id"]
    # fmt: off
    second = enqueue(
        file, "--after", first, "--after-any", "other", "--take", f"{PLACE}={first}:result.opStates[0].operationId",
        "--callback", "app.ended",
    )
    # fmt: on
    assert second["after"] == [{"id": first, "on": "success"}, {"id": other, "on": "any"}]
    assert second["take"] == {PLACE: {"job": first, "field": "result.opStates[0].operationId"}}
    assert second["callback"] == {"task": "app.ended", "queue": None, "state": "waits"}
    world.run_for(30)
    seen = run("show", second["id"]).stdout
    assert f"after         {first}, {other} (however it ends)" in seen
    assert f"takes         {PLACE} = result.opStates[0].operationId of {first}" in seen
    assert f"waits for {first} (" in seen
    assert "enqueued (awaiting_jobs)" in seen
    assert f"dependents    {second['id']}" in run("show", first).stdout
    assert json.loads(run("show", first, "--json").stdout)["dependents"] == [second["id"]]
    world.receiver.down = True
    world.run_for(400)
    assert "app.ended (due)" in run("show", first).stdout
    world.receiver.down = False
    world.run()
    assert "app.ended (sent)" in run("show", second["id"]).stdout
    document = world.parts.store.document(second["id"])
    assert document is not None
    assert json.loads(document)["ops"][0]["args"]["env"] == {"IN": "main"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--take", "nonsense"], "write place=id:field"),
        (["--callback-queue", "x"], "--callback-queue goes with --callback"),
        (["--after", "nobody"], "named 'nobody'"),
        (["--after", "job_12"], "not the id of a job"),
        (["--take", f"{PLACE}=job_{1:024x}:result_cid"], "name that job in after"),
    ],
)
def test_what_is_wrong_is_told(world: World, file: str, options: list[str], says: str) -> None:
    result = run("enqueue", file, "--market", MARKET, "--timeout", "10m", *options)
    assert (result.exit_code, says in result.output) == (2, True), result.output


def test_a_plan_takes_it_that_the_others_are_over(world: World, file: str) -> None:
    words = ["--market", MARKET, "--timeout", "10m", "--rate", "0.05", "--runs-for", "5m", "--after", "x"]
    result = run("plan", file, *words, "--json")
    assert result.exit_code == 0, result.output
    events = [step["event"] for step in json.loads(result.stdout)["timeline"]]
    assert events[:3] == ["enqueued", "released", "credit_held"]
