"""The ways to start everything say the same: Procfile, docker-compose.yml, Dockerfile, .env.example."""

import os
import re
import shlex
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from dispatcher.domain.duration import parse_duration
from dispatcher.settings import Settings, load
from dispatcher.settings.accounts import NamedAccount

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
PROCFILE = dict(
    re.findall(r"^([a-z]+):\s*(.+)$", (ROOT / "Procfile").read_text(), re.MULTILINE),
)
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
CELERY = ("worker", "beat", "flower")
OURS = (*CELERY, "metrics")


def _words(command: str) -> list[str]:
    """The command without what only a shell needs, and without address and host name, in which the two must differ."""
    words = shlex.split(command.removeprefix("mkdir -p .dispatcher && ").removeprefix("exec "))
    return [word for word in words if not word.startswith(("--address=", "--hostname=", "--serve="))]


def _instructions(name: str) -> list[str]:
    return re.findall(rf"^{name}\s+(.+)$", DOCKERFILE, re.MULTILINE)


# --- Procfile and compose ---------------------------------------------------------------------------------


def test_the_same_processes_with_the_same_commands() -> None:
    assert set(PROCFILE) == set(SERVICES) == {"redis", *OURS}
    for name in OURS:
        assert _words(PROCFILE[name]) == _words(shlex.join(SERVICES[name]["command"])), name
    assert PROCFILE["redis"] == "exec dispatcher redis"


def test_the_commands_are_installed_by_the_package_and_its_dependencies() -> None:
    commands = {_words(command)[0] for command in PROCFILE.values()}
    assert commands == {"dispatcher", "celery"}
    assert "dispatcher" in PROJECT["scripts"]
    assert "celery" in {Requirement(line).name for line in PROJECT["dependencies"]}
    for name in CELERY:
        assert _words(PROCFILE[name])[:4] == ["celery", "-A", "dispatcher", name]


def test_beat_has_a_place_for_its_schedule() -> None:
    schedule = PurePosixPath(_words(PROCFILE["beat"])[-1])
    assert schedule.parent == PurePosixPath(".dispatcher")
    assert PROCFILE["beat"].startswith("mkdir -p .dispatcher && ")
    (workdir,) = _instructions("WORKDIR")[1:]
    assert f"--owner dispatcher --mode 0700 {schedule.parent}" in DOCKERFILE
    assert SERVICES["beat"]["volumes"] == [f"beat:{workdir}/{schedule.parent}"]
    assert f"find {schedule.parent} -name '{schedule.name}*'" in SERVICES["beat"]["healthcheck"]["test"][1]


def test_flower_is_reached_from_this_machine_alone() -> None:
    assert "--address=127.0.0.1" in PROCFILE["flower"]
    assert SERVICES["flower"]["ports"] == ["127.0.0.1:5555:5555"]
    assert "--port=5555" in SERVICES["flower"]["command"]


def test_metrics_are_reached_from_this_machine_alone() -> None:
    assert PROCFILE["metrics"] == "exec dispatcher metrics --serve=127.0.0.1:9808"
    assert SERVICES["metrics"]["command"][-1] == "--serve=0.0.0.0:9808"
    assert SERVICES["metrics"]["ports"] == ["127.0.0.1:9808:9808"]
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"flower", "metrics"}


def test_redis_loses_nothing_that_was_written() -> None:
    words = SERVICES["redis"]["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options == {
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--maxmemory-policy": "noeviction",
    }
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]
    assert set(COMPOSE["volumes"]) == {"redis", "beat"}


@pytest.mark.parametrize("name", OURS)
def test_one_image_serves_all_that_is_ours(name: str) -> None:
    service = SERVICES[name]
    assert service["build"] == {"context": ".", "dockerfile": "deploy/Dockerfile"}
    assert service["image"] == SERVICES["worker"]["image"]
    assert service["env_file"] == ".env"
    assert service["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert "redis://redis:6379/0" in service["environment"]["DISPATCHER_REDIS_URL"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])
    assert service["restart"] == "unless-stopped"


def test_a_stopped_worker_has_time_for_its_lease() -> None:
    lease = Settings.model_fields["lease"].default
    assert parse_duration(SERVICES["worker"]["stop_grace_period"]) > lease


def test_compose_sets_what_the_settings_know() -> None:
    names = set(SERVICES["worker"]["environment"])
    assert {name.removeprefix("DISPATCHER_").lower() for name in names} <= set(Settings.model_fields)


# --- the image --------------------------------------------------------------------------------------------


def test_the_image_has_what_the_services_run() -> None:
    installed = re.search(r'pip install .*--constraint constraints\.txt "\.\[(.+)\]"', DOCKERFILE)
    assert installed is not None
    extras = set(installed[1].split(","))
    assert extras <= set(PROJECT["optional-dependencies"])
    assert "flower" in extras
    assert any(Requirement(line).name == "flower" for line in PROJECT["optional-dependencies"]["flower"])
    assert "PATH=/opt/dispatcher/bin:$PATH" in DOCKERFILE
    (command,) = _instructions("CMD")
    assert yaml.safe_load(command) == _words(PROCFILE["worker"])
    assert not _instructions("ENTRYPOINT")


def test_the_image_does_not_run_as_root_and_has_a_python_that_the_project_supports() -> None:
    assert _instructions("USER") == ["dispatcher"]
    assert DOCKERFILE.index("USER dispatcher") > DOCKERFILE.index("RUN useradd")
    images = {line.split()[0] for line in _instructions("FROM")}
    (version,) = {re.sub(r"python:([\d.]+)-slim", r"\1", image) for image in images}
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_the_image_is_built_from_files_that_are_there_and_not_from_secrets() -> None:
    ignored, *allowed = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert ignored == "*"
    kept = {line.removeprefix("!") for line in allowed if line.startswith("!")}
    copied = [word for line in _instructions("COPY") if "--from" not in line for word in line.split()[:-1]]
    assert set(copied) == kept
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert PROJECT["readme"] in copied
    assert set(PROJECT["license-files"]) <= set(copied)


# --- settings ---------------------------------------------------------------------------------------------


def _example() -> dict[str, str]:
    return dict(
        re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )


def test_the_example_names_every_setting_and_no_other() -> None:
    names = {f"DISPATCHER_{name}".upper() for name in Settings.model_fields if name != "accounts"}
    names |= {f"DISPATCHER_ACCOUNTS__LAB__{name}".upper() for name in NamedAccount.model_fields}
    assert set(_example()) == names | {"DISPATCHER_ENV_FILE", "FLOWER_BASIC_AUTH"}


@pytest.mark.parametrize("commented_out_too", [False, True])
def test_the_example_says_the_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, commented_out_too: bool
) -> None:
    for name in [name for name in os.environ if name.upper().startswith("DISPATCHER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    default = load()
    text = (ROOT / ".env.example").read_text()
    if commented_out_too:
        text = re.sub(r"^# (DISPATCHER_)", r"\1", text, flags=re.MULTILINE)
    (tmp_path / ".env").write_text(text)
    example = load()
    assert example.unknown == ()
    assert example == default
