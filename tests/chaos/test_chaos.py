"""A small run of the chaos, as a command: what is promised of a large one, in half a minute."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.verdict import BAD
from tests.servers import need_server

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> None:
    need_server()


@pytest.mark.usefixtures("server")
def test_nothing_is_lost_doubled_or_overspent(tmp_path: Path) -> None:
    # fmt: off
    command = [
        sys.executable, "-m", "tests.chaos", "--jobs", "30", "--seed", "5", "--seconds", "60", "--wreck", "6",
        "--keep", str(tmp_path / "kept"),
    ]
    # fmt: on
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    child = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        stdout, stderr = child.communicate(timeout=100)
    finally:
        child.terminate()  # not killed: it has processes to end
        child.communicate()
    assert stdout, stderr
    figures = json.loads(stdout.splitlines()[-1])
    assert {name: figures[name] for name in BAD} == dict.fromkeys(BAD, 0), stderr
    assert child.returncode == 0
    assert figures["jobs"] == figures["ended"] == 30
    assert figures["kills"] >= 3
    assert figures["faults"] > 0
    assert not list(tmp_path.glob("chaos-*"))
