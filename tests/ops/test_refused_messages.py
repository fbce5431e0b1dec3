"""A message that is no task's is refused without being quoted, ends no worker, and can run nothing."""

import ast
import logging
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import InvalidTaskError
from celery.worker.consumer import consumer
from kombu.exceptions import ContentDisallowed
from kombu.serialization import dumps, loads

from dispatcher.ops import taking
from dispatcher.ops.refusals import WithoutMessages

ROOT = Path(__file__).parents[2]
CANARY = "canary-4711"


def through(message: str, *args: Any) -> str:
    record = logging.LogRecord(
        "x", logging.ERROR, "f", 1, message, args, (ValueError, ValueError(CANARY), None)
    )
    assert WithoutMessages().filter(record)
    if record.exc_info is not None:
        return f"{record.getMessage()} {record.exc_info[1]}"
    return record.getMessage()


@pytest.mark.parametrize(
    ("message", "args", "kept"),
    [
        (
            consumer.UNKNOWN_TASK_ERROR,
            ("dispatcher.submitt", CANARY, CANARY, CANARY),
            "task of type dispatcher.submitt",
        ),
        (consumer.INVALID_TASK_ERROR, ("TypeError", CANARY), "Received invalid task message: TypeError"),
        (
            consumer.UNKNOWN_FORMAT,
            (consumer.MESSAGE_REPORT.format(CANARY, 1, 2, 3, CANARY),),
            "unknown message",
        ),
        (
            consumer.MESSAGE_DECODE_ERROR,
            (
                UnicodeDecodeError("utf-8", b"\xff" + CANARY.encode(), 0, 1, "bad"),
                "json",
                "utf-8",
                CANARY,
                CANARY,
            ),
            "Can't decode message body",
        ),
    ],
    ids=["unknown task", "invalid task", "unknown format", "cannot be decoded"],
)
def test_what_celery_refuses_it_does_not_quote(message: str, args: tuple[Any, ...], kept: str) -> None:
    shown = through(message, *args)
    assert kept in shown
    assert CANARY not in shown


def test_other_lines_stay_as_they_are() -> None:
    assert through("Connected to %s", "redis://h") == f"Connected to redis://h {CANARY}"


def taken(monkeypatch: pytest.MonkeyPatch, payload: Any, error: Exception | None = None) -> list[Any]:
    """What Celery's own strategy is given of a message with this payload; it raises `error`."""
    given: list[Any] = []

    def default(*_: Any, **__: Any) -> Any:
        def take_in(message: Any, *_: Any) -> None:
            given.append(message.payload)
            if error is not None:
                raise error

        return take_in

    monkeypatch.setattr(taking, "default", default)
    taking.careful(None, None, None)(SimpleNamespace(payload=payload), None, None, None, [])
    return given


@pytest.mark.parametrize(
    "payload",
    [b"bytes", "text", 3, None, [], [[]], [[], {}], ["x", {}, {}], [[], [], {}], [[], {}, "x"], {}, {"a": 1}],
    ids=repr,
)
def test_a_body_that_is_no_tasks_is_an_invalid_message(monkeypatch: pytest.MonkeyPatch, payload: Any) -> None:
    with pytest.raises(InvalidTaskError):
        taken(monkeypatch, payload)


@pytest.mark.parametrize(
    "payload", [[[], {}, {}], [[1], {"a": 1}, None], {"task": "x", "args": []}], ids=repr
)
def test_a_tasks_body_is_taken_in(monkeypatch: pytest.MonkeyPatch, payload: Any) -> None:
    assert taken(monkeypatch, payload) == [payload]


@pytest.mark.parametrize(
    "error", [TypeError(CANARY), KeyError(CANARY), ValueError(CANARY), AttributeError(CANARY)]
)
def test_what_goes_wrong_while_it_is_taken_in_ends_no_worker(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with pytest.raises(InvalidTaskError) as caught:
        taken(monkeypatch, [[], {}, {}], error)
    assert CANARY not in str(caught.value)


def test_all_tasks_are_taken_in_with_care() -> None:
    from dispatcher.celery import app

    app.loader.import_default_modules()
    own = [task for name, task in app.tasks.items() if name.startswith("dispatcher.")]
    assert len(own) >= 6
    assert {(task.Strategy, task.Request) for task in own} == {
        ("dispatcher.ops.taking:careful", "dispatcher.ops.taking:QuietRequest")
    }


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ([["job_1a", "job_2"]], "(job_1a, job_2)"),
        ([], "()"),
        ([[CANARY]], "<request>"),
        ([["job_1", 2]], "<request>"),
        (["job_1"], "<request>"),
        ([["job_1"], CANARY], "<request>"),
        (None, "<request>"),
    ],
    ids=repr,
)
def test_of_arguments_job_ids_are_shown_alone(args: Any, shown: str) -> None:
    assert taking._shown(args) == shown


@pytest.mark.parametrize("kind", ["pickle", "yaml"])
def test_nothing_but_json_is_read(kind: str) -> None:
    from dispatcher.celery import app

    assert app.conf.accept_content == ["json"]
    assert app.conf.result_accept_content in (None, ["json"])
    assert {app.conf.task_serializer, app.conf.result_serializer, app.conf.event_serializer} == {"json"}
    content_type, encoding, body = dumps({"x": 1}, serializer=kind)
    with pytest.raises(ContentDisallowed):
        loads(body, content_type, encoding, accept=app.conf.accept_content)


def test_no_code_of_ours_reads_what_could_run() -> None:
    """Beside the rules of ruff, which are on without exception for these."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in config["select"]
    ignored = [
        *config["ignore"],
        *(
            rule
            for path, rules in config["per-file-ignores"].items()
            if "tests" not in path
            for rule in rules
        ),
    ]
    assert [rule for rule in ignored if rule.startswith("S")] == []
    for file in (ROOT / "dispatcher").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "noqa: S30" not in text, file
        assert "noqa: S5" not in text, file
        assert "noqa: S102" not in text, file
        for node in ast.walk(ast.parse(text)):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if file.name == "yaml_core.py":
                # Of PyYAML that reads files no more is taken than gives nodes: nothing that could construct.
                assert not {name for name in names if re.search("load|constr|cyaml", name)}, names
                assert not re.search(r"yaml\.\w*(load|constr)", text, re.IGNORECASE), file
                names = [name for name in names if name.partition(".")[0] != "yaml"]
            assert not {name.partition(".")[0] for name in names} & {
                "pickle",
                "marshal",
                "shelve",
                "dill",
                "yaml",
                "jsonpickle",
            }, file
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            assert called not in {"eval", "exec", "compile", "__import__"}, file
