"""What the documentation has from the code is what the code says; and what is written by hand leaves nothing out."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from dispatcher.domain.planner import RULES
from dispatcher.domain.policies import Policies, Policy
from dispatcher.domain.transitions import TRANSITIONS
from dispatcher.domain.words import FINAL_STATES
from tests.docs import lifecycle, rules
from tests.docs.__main__ import main
from tests.docs.pages import DOCS, MADE, renew, stale

POLICIES = (DOCS / "policies.md").read_text(encoding="utf-8")


def test_what_is_made_from_the_code_is_up_to_date() -> None:
    assert list(stale()) == [], "run `make docs`"


def test_the_check_tells_what_is_stale_and_renewing_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in MADE:
        (tmp_path / name).write_text((DOCS / name).read_text(encoding="utf-8"), encoding="utf-8")
    page = tmp_path / "policies.md"
    page.write_text(page.read_text(encoding="utf-8").replace("| pin |", "| pins |"), encoding="utf-8")
    assert list(stale(tmp_path)) == ["policies.md"]
    assert renew(tmp_path) == ["policies.md"]
    assert stale(tmp_path) == {}
    monkeypatch.setattr("sys.argv", ["docs", "--check"])
    monkeypatch.setattr("tests.docs.__main__.stale", lambda: {"policies.md": ""})
    assert main() == 1
    assert "docs/policies.md is not what the code says: run `make docs`" in capsys.readouterr().err


def test_the_table_has_every_rule_in_the_planners_order() -> None:
    made = POLICIES.partition(rules.BEGIN)[2].partition(rules.END)[0]
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", made, re.MULTILINE)
    assert [name for name, _ in rows[1:]] == [rule.__name__ for rule in RULES]
    for (_, said), rule in zip(rows[1:], RULES, strict=True):
        assert said.lower() in " ".join((rule.__doc__ or "").split()).lower()


def test_a_page_without_a_place_for_the_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="no table of rules"):
        rules.renewed("# Policies\n")


def test_the_picture_has_every_transition_of_the_table_once() -> None:
    ways = {
        (source.value, kind, target)
        for source, kinds in TRANSITIONS.items()
        for kind, target in kinds.items()
    }
    drawn = {
        (source, kind.partition(" ")[0], target)
        for (source, target), kinds in lifecycle.edges().items()
        for kind in kinds
    }
    kept = {(source, kind) for kind, sources in lifecycle.stays().items() for source in sources}
    for source, kind, targets in ways:
        others = {t.value if t not in FINAL_STATES else "over" for t in targets if t.value != source}
        assert {target for s, k, target in drawn if (s, k) == (source, kind)} == others
        assert ((source, kind) in kept) == any(t.value == source for t in targets)
    assert len(drawn) + len(kept) == sum(
        len({"over" if t in FINAL_STATES else t.value for t in targets}) for _, _, targets in ways
    )


def test_the_picture_stays_one_that_can_be_read() -> None:
    """One arrow from a state to another, however many events lead there."""
    arrows = re.findall(r"^    \w+ --> \w+", lifecycle.page(), re.MULTILINE)
    assert len(arrows) == len(set(arrows)) <= 24


def models_of(kind: type[BaseModel]) -> list[type[BaseModel]]:
    """The model and those of its fields' own."""
    found = [kind]
    for field in kind.model_fields.values():
        found += [each for part in parts_of(field.annotation) for each in models_of(part)]
    return found


def parts_of(annotation: Any) -> list[type[Policy]]:
    if isinstance(annotation, type) and issubclass(annotation, Policy):
        return [annotation]
    return [each for part in get_args(annotation) for each in parts_of(part)]


def fields() -> list[tuple[str, str]]:
    found = []
    for kind, field in Policies.model_fields.items():
        for model in (each for part in parts_of(field.annotation) for each in models_of(part)):
            found += [(kind, name) for name in model.model_fields if name != "kind"]
    return sorted(set(found))


@pytest.mark.parametrize(("kind", "field"), fields())
def test_every_field_of_a_policy_is_told_of_in_its_section(kind: str, field: str) -> None:
    section = re.search(rf"^## {kind}\n(.*?)^## ", POLICIES, re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/policies.md has no section on {kind}"
    told = rf'`(?:\w+\.)*{field}`|"{field}":'
    assert re.search(told, section[1]), f"docs/policies.md says nothing of {kind}.{field}"


def test_the_fields_are_found_at_all() -> None:
    assert {("stop", "warn"), ("stop", "pattern"), ("retry", "halt_after"), ("poll", "every")} <= set(
        fields()
    )
    assert len(fields()) > 35
