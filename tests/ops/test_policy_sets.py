"""DISPATCHER_POLICIES_FILE: read when the settings are, and wrong as any other setting may be."""

from pathlib import Path

import pytest

from dispatcher import settings
from dispatcher.domain.errors import SettingsError
from dispatcher.domain.policies.written import said, whole


@pytest.fixture
def sets_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISPATCHER_ENV_FILE", "")
    path = tmp_path / "sets.yaml"
    monkeypatch.setenv("DISPATCHER_POLICIES_FILE", str(path))
    return path


def test_the_sets_of_the_file_are_part_of_the_settings(sets_file: Path) -> None:
    sets_file.write_text("overnight:\n  extend: {by: 30m}\ncheap:\n  - {kind: stop, max_cost: 2.5}\n")
    found = settings.load().policy_sets
    assert {name: said(whole(policies)) for name, policies in found.items()} == {
        "overnight": {"extend": {"by": "30m"}},
        "cheap": {"stop": {"max_cost": "2.500"}},
    }
    assert settings.policy_sets() == found
    sets_file.write_text("{}")
    assert settings.load().policy_sets == {}


def test_without_the_variable_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCHER_ENV_FILE", "")
    monkeypatch.delenv("DISPATCHER_POLICIES_FILE", raising=False)
    assert settings.load().policy_sets == {}


@pytest.mark.parametrize(
    ("text", "said_"),
    [
        ("a: {extend: {max_cost: 5}}\nb: {x: 1}", ["a.extend.by: is missing", "b.x: is not a field of a policy"]),
        ("a: [", ["sets.yaml: line 1, column 5: it is not YAML"]),
        (None, ["sets.yaml: cannot be read: No such file or directory"]),
    ],
)  # fmt: skip
def test_all_faults_of_the_file_are_told_as_those_of_the_setting(
    sets_file: Path, text: str | None, said_: list[str]
) -> None:
    if text is not None:
        sets_file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        settings.load()
    lines = str(caught.value).splitlines()
    assert lines[0] == ("1 setting is wrong:" if len(said_) == 1 else f"{len(said_)} settings are wrong:")
    for line, part in zip(lines[1:], said_, strict=True):
        assert line.startswith(f"  DISPATCHER_POLICIES_FILE: {part}")
