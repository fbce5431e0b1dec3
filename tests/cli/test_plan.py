"""The command `plan`, without a network: its price is given."""

import json
from pathlib import Path
from xml.etree.ElementTree import parse

import pytest
from click.testing import CliRunner

from dispatcher.cli.main import main
from tests.world import definition


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "job.json"
    path.write_text(json.dumps(definition()), encoding="utf-8")
    return str(path)


def plan(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["plan", *arguments, "--market", "nvidia-3060", "--rate", "0.048"])
    return done.exit_code, done.output


def test_a_plan_as_a_table(file: str) -> None:
    code, said = plan(file, "--timeout", "2h", "--quantum", "30m", "--runs-for", "50m")
    assert code == 0
    assert "extended" in said
    assert "ends           completed (finished)" in said
    assert "worst cost     $0.096" in said


def test_a_plan_as_json_and_as_a_picture(file: str, tmp_path: Path) -> None:
    code, said = plan(file, "--timeout", "1h", "--json", "--svg", str(tmp_path / "plan.svg"))
    seen = json.loads(said)
    assert (code, seen["can_run"], seen["ends"]["reason"]) == (0, True, "timed_out")
    assert seen["calls_total"] == sum(seen["calls"].values())
    words = [text.text for text in parse(tmp_path / "plan.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert "posted" in words
    assert "ended" in words


def test_what_cannot_run_is_told_with_exit_code_3(file: str) -> None:
    code, said = plan(file, "--timeout", "1h", "--max-cost", "0.0001")
    assert code == 3
    assert "error: policies.stop.max_cost" in said


def test_a_wrong_request_is_refused_as_by_enqueue(file: str) -> None:
    code, said = plan(file, "--timeout", "30")
    assert code == 2
    assert "timeout" in said
