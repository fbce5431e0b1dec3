"""Files that people write: what they mean, what is refused and where, and that no message repeats them."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.errors import InvalidRequest
from dispatcher.settings.documents import LARGEST, parse_document, read_document

JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("aänoON~1.:", max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


def refused(text: str, name: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse_document(text, name)
    (fault,) = caught.value.faults
    return f"{fault.path}: {fault.message}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: no", {"on": "no"}),
        ("a: yes\nb: off", {"a": "yes", "b": "off"}),
        ("at: 2026-12-24T18:00:00+01:00", {"at": "2026-12-24T18:00:00+01:00"}),
        ("at: 2026-12-24", {"at": "2026-12-24"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: [~, null, Null, NULL, true, FALSE]", {"a": [None, None, None, None, True, False]}),
        ("a:", {"a": None}),
        ("a: [1, -2, +3, 0o17, 0x1F, 017]", {"a": [1, -2, 3, 15, 31, 17]}),
        ("a: [1.5, .5, 1e3, -1., 2.50]", {"a": [1.5, 0.5, 1000.0, -1.0, 2.5]}),
        ("a: ['5', \"true\", !!str 5, &x !!str 5]", {"a": ["5", "true", "5", "5"]}),
        ("a: [!!int 5, !!float 5, !!null ~, !!bool true]", {"a": [5, 5.0, None, True]}),
        ("<<: x", {"<<": "x"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: |\n  1\n", {"a": "1\n"}),
        ("", None),
        ("- kind: stop\n  after: 3h", [{"kind": "stop", "after": "3h"}]),
    ],
)
def test_yaml_is_read_by_its_core_schema(text: str, value: Any) -> None:
    found = parse_document(text, "a.yaml")
    assert found == value
    assert json.dumps(found) == json.dumps(value)  # 5 is not 5.0, and True is not 1


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("a: 1\nb: {x: 1,\n    x: 2}", "a.yml", "a.yml: line 3, column 5: a name stands twice in one object"),
        ('{"a": 1,\n "b": {"x": 1, "y": [{"x": 2}], "\\u0078": 2}}', "a.json", "a.json: line 2, column 33: a name"),
        ('a = 1\na = 2', "a.toml", "a.toml: line 2"),
        ("1: a", "a.yaml", "line 1, column 1: a name must be text"),
        ("[a]: 1", "a.yaml", "line 1, column 1: a name must be text"),
        ("a: !x 1", "a.yaml", "line 1, column 4: its tag is not one of YAML's core"),
        ("a: !!timestamp 2026-01-01", "a.yaml", "its tag is not one"),
        ("a: !!python/object/apply:os.getcwd []", "a.yaml", "its tag is not one"),
        ("a: !!set {b}", "a.yaml", "its tag is not one"),
        ("a: !!int x", "a.yaml", "it is not what its tag says"),
        ("a: .inf", "a.yaml", "line 1, column 4: nan and infinities"),
        ("a: 1e999", "a.yaml", "line 1, column 4: a number is too large"),
        ("a: b\n---\nc: d", "a.yaml", "line 2, column 1: it is not YAML"),
        ("a: [1", "a.yaml", "line 1, column 6: it is not YAML"),
        ("\ta: 1", "a.yaml", "line 1, column 1: it is not YAML"),
        ("a: \x00", "a.yaml", "line 1, column 4: it is not YAML: a character may not stand there"),
        ('a: "\\U00110000"', "a.yaml", "it is not YAML: an escape"),
        ("a: &x [*x]", "a.yaml", "line 1, column 4: an alias stands in itself"),
        ('{"a": 1,}', "a.json", "line 1, column 9: it is not JSON"),
        ('{"a": ["NaN", NaN]}', "a.json", "line 1, column 15: it is not JSON: NaN"),
        ('{"a": -1e999}', "a", "line 1, column 7: a number is too large"),
        ("", "a.json", "line 1, column 1: it is not JSON"),
        ("a: 1", "a.json", "line 1, column 1: it is not JSON"),
        ("a = 1\r\nb 2", "a.toml", "a.toml: line 2, column 3: it is not TOML: Expected '='"),
        ("a = ", "a.toml", "line 1, column 5: it is not TOML"),
        ("a = nan", "a.toml", "a.toml: it holds nan"),
        ("{a: 1}", "-", "standard input: line 1, column 2: it is not JSON"),
        ("a: [1", "<stdin>", "standard input: line 1, column 6: it is not YAML"),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_with_its_place(text: str, name: str, said: str) -> None:
    assert said in refused(text, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a: *hunter2", "a.yaml"),
        ("a: !hunter2 x", "a.yaml"),
        ("hunter2: 1\nhunter2: 2", "a.yaml"),
        ("a: &hunter2 1\n[b: &hunter2", "a.yaml"),
        ("a: 'hunter2", "a.yaml"),
        ("%FOO hunter2\n!hunter2!x", "a.yaml"),
        ('{"hunter2": 1, "hunter2": 2}', "a.json"),
        ('{"a": hunter2}', "a.json"),
        ("hunter2 = 1\n[hunter2]\nb = 1", "a.toml"),
        ("[hunter2]\n[hunter2]", "a.toml"),
        ("a = {hunter2 = 1, hunter2 = 2}", "a.toml"),
        ("a = hunter2", "a.toml"),
    ],
)
def test_no_message_repeats_what_stands_in_the_file(text: str, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_document(text, name)
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in f"{error!r} {vars(error)}"
        error = error.__cause__ or error.__context__


def test_toml_gives_its_dates_as_the_text_that_they_were() -> None:
    text = "[stop]\nat = 2026-12-24T18:00:00+01:00\nx = [2026-12-24, 18:00:00]"
    found = parse_document(text, "a.TOML")
    assert found == {"stop": {"at": "2026-12-24T18:00:00+01:00", "x": ["2026-12-24", "18:00:00"]}}


def test_standard_input_is_json_or_yaml() -> None:
    assert parse_document(' {"a": "no"}', "-") == {"a": "no"}
    assert parse_document("a: no", "-") == {"a": "no"}


@pytest.mark.parametrize(
    ("text", "name"),
    [("[" * 100_000, "a.json"), ("[" * 100_000, "a.yaml"), ("a = " + "[" * 100_000, "a.toml")],
    ids=["json", "yaml", "toml"],
)
def test_deep_nesting_is_refused(text: str, name: str) -> None:
    assert "nested too deeply" in refused(text, name)


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "a.toml"])
def test_endless_numbers_are_refused(name: str) -> None:
    digits = "9" * (sys.get_int_max_str_digits() + 1)
    text = {"a.json": f'{{"a": {digits}}}', "a.yaml": f"a: {digits}", "a.toml": f"a = {digits}"}[name]
    assert "too many digits" in refused(text, name)


def test_aliases_do_not_make_much_out_of_little() -> None:
    laughs = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'lol'}]" for i in range(12))
    assert "far too large" in refused(laughs, "a.yaml")
    long = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 50)}]"
    assert "far too large" in refused(long, "a.yaml")


def test_a_file_is_read_by_its_name_and_never_without_bounds(tmp_path: Path) -> None:
    for name, text in {
        "a.yml": "a: no",
        "b.toml": 'a = "no"',
        "c.json": '{"a": "no"}',
        "d": '{"a": "no"}',
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert read_document(tmp_path / name) == {"a": "no"}
    for name, raw, said in (
        ("e.json", b" " * (LARGEST + 1), "e.json: is larger than 1 MiB"),
        ("f.json", b'{\n"a": "\xff"}', "f.json: is not UTF-8 text (line 2)"),
    ):
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(InvalidRequest, match=re.escape(said)):
            read_document(tmp_path / name)
    with pytest.raises(InvalidRequest, match=re.escape("none.yaml: cannot be read: No such file")):
        read_document(tmp_path / "none.yaml")


@given(JSON_LIKE)
def test_json_and_the_yaml_of_any_writer_come_back_as_they_were(value: Any) -> None:
    assert parse_document(json.dumps(value), "a.json") == value
    # JSON is YAML too, but for what PyYAML does not take: escapes of halves of characters.
    assert parse_document(json.dumps(value, ensure_ascii=False, indent=1), "a.yaml") == value
    quoted = yaml.safe_dump(value, default_style='"') if isinstance(value, str) else None
    if quoted is not None:
        assert parse_document(quoted, "a.yaml") == value
