"""What the demo starts, and what its processes are told."""

import re
import sys
from pathlib import Path

import pytest

from dispatcher.demo import processes
from dispatcher.settings import load

ROOT = Path(__file__).parents[2]
NETWORK = {
    "api_url": "http://127.0.0.1:4321",
    "ipfs_api_url": "http://127.0.0.1:4321",
    "ipfs_gateway_url": "http://127.0.0.1:4321/ipfs/",
    "ipfs_jwt": "demo-jwt",
    "clock": "60@1800000000",
}
REAL = {
    "DISPATCHER_NOSANA_API_KEY": "nos_a_real_one",
    "DISPATCHER_NOSANA_API_URL": "https://dashboard.k8s.prd.nos.ci",
    "DISPATCHER_ACCOUNTS__SECOND__API_KEY": "nos_another",
    "DISPATCHER_ENV_FILE": "/etc/dispatcher.env",
    "DISPATCHER_LEASE": "20s",
    "HOME": "/home/me",
    "PATH": "/usr/bin",
}


def test_without_a_procfile_the_same_is_run() -> None:
    text = (ROOT / "Procfile").read_text()
    for name, command in processes.COMMANDS.items():
        assert re.findall(rf"^{name}:\s*(.+)$", text, re.MULTILINE) == [command]


def test_the_repositorys_procfile_is_used_and_a_wheel_writes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert processes.find_procfile(tmp_path) == ROOT / "Procfile"
    monkeypatch.setattr("dispatcher.__file__", str(tmp_path / "site-packages" / "dispatcher" / "__init__.py"))
    written = processes.find_procfile(tmp_path)
    assert written.parent == tmp_path
    assert written.read_text().splitlines()[0] == f"worker: {processes.COMMANDS['worker']}"


def test_no_real_network_and_no_real_key_is_told_to_anybody() -> None:
    told = processes.settings(NETWORK, "redis://127.0.0.1:1/0", "demo", REAL)
    environment = processes.environment(REAL, told)
    assert not any("nos_a" in value or "prd.nos" in value for value in environment.values())
    assert "DISPATCHER_ACCOUNTS__SECOND__API_KEY" not in environment
    assert "DISPATCHER_LEASE" not in environment
    assert environment["HOME"] == "/home/me"
    assert environment["PATH"].split(":")[:2] == [str(Path(sys.executable).parent), "/usr/bin"]


def test_the_dispatcher_understands_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in processes.settings(NETWORK, "redis://127.0.0.1:1/0", "demo-12", {}).items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert settings.unknown == ()
    assert settings.account_names() == ("default", "poor")
    assert settings.account("poor").api_url == NETWORK["api_url"]
    assert settings.clock == NETWORK["clock"]
    assert settings.key_prefix == "demo-12"
    assert settings.broker_url == settings.redis_url


def test_a_broker_of_its_own_is_taken_over() -> None:
    given = {
        "DISPATCHER_BROKER_URL": "redis://127.0.0.1:2/3",
        "DISPATCHER_RESULT_URL": "redis://127.0.0.1:2/4",
    }
    told = processes.settings(NETWORK, "redis://127.0.0.1:1/0", "demo", given)
    assert told["DISPATCHER_BROKER_URL"] == "redis://127.0.0.1:2/3"
    assert "DISPATCHER_RESULT_URL" not in told
