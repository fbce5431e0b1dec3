"""What the command line says of secrets in a definition: a warning beside the verdict, and a fault on enqueueing."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dispatcher import client
from dispatcher.cli.main import main

PLACE = "definition.ops[0].args.env.PASSWORD"


def definition(password: str) -> dict[str, Any]:
    args = {"image": "ubuntu", "env": {"PASSWORD": password}}
    return {
        "version": "0.1",
        "type": "container",
        "ops": [{"type": "container/run", "id": "main", "args": args}],
    }


def test_validate_warns_and_its_verdict_stays() -> None:
    done = CliRunner().invoke(main, ["validate", "-"], input=json.dumps(definition("hunter2")))
    assert (done.exit_code, done.stdout) == (0, "valid\n")
    assert f"warning: {PLACE}: looks like a password" in done.stderr
    assert "hunter2" not in done.output


def test_validate_for_programs_tells_secrets_beside_the_verdict() -> None:
    lines = "\n".join(json.dumps(definition(password)) for password in ("hunter2", "changeme"))
    done = CliRunner().invoke(main, ["validate", "--json", "-"], input=lines)
    one, two = map(json.loads, done.stdout.splitlines())
    assert (one["valid"], one["errors"], [each["path"] for each in one["secrets"]]) == (True, [], [PLACE])
    assert two == {"valid": True, "errors": []}
    assert "hunter2" not in done.output


@pytest.mark.parametrize("allowed", [[], [PLACE, "x"]], ids=["none", "two"])
def test_enqueue_hands_on_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, allowed: list[str]
) -> None:
    asked: list[dict[str, Any]] = []

    def enqueue(request: dict[str, Any]) -> None:
        asked.append(request)
        raise SystemExit(7)

    monkeypatch.setattr(client, "enqueue", enqueue)
    file = tmp_path / "job.json"
    file.write_text(json.dumps(definition("hunter2")))
    options = [word for place in allowed for word in ("--allow-secret", place)]
    done = CliRunner().invoke(main, ["enqueue", str(file), "--market", "m", "--timeout", "5m", *options])
    assert done.exit_code == 7
    assert asked[0].get("allow_secrets", []) == allowed
