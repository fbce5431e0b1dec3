"""Log lines: one form for ours and the libraries', no secret in any."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import structlog
from pydantic import SecretStr

from dispatcher.ops import logs

CANARY = "canary-4711-secret"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    names = ("httpx", "httpcore", "celery.pool")
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers, root.level = handlers, level
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).setLevel(levels[name])
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@dataclass
class Chosen:
    """Settings of the log."""

    log_level: str = "INFO"
    log_format: Literal["auto", "json", "console"] = "json"

    def secrets(self) -> tuple[SecretStr, ...]:
        return (SecretStr(CANARY),)


def _configured(
    log_level: str = "INFO",
    log_format: Literal["auto", "json", "console"] = "json",
    out: io.StringIO | None = None,
) -> io.StringIO:
    out = out or io.StringIO()
    logs.configure(Chosen(log_level, log_format), stream=out)
    return out


def _lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_json_line() -> None:
    out = _configured()
    structlog.get_logger("dispatcher.jobs").info("job_posted", job_id="job_1", seconds=60, text='ä\n"b')
    (line,) = _lines(out)
    assert list(line)[:4] == ["timestamp", "level", "logger", "event"]
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "dispatcher.jobs",
        "event": "job_posted",
        "job_id": "job_1",
        "seconds": 60,
        "text": 'ä\n"b',
    }


def test_the_time_is_when_it_happened() -> None:
    out = _configured()
    record = logging.makeLogRecord(
        {"msg": "x", "name": "n", "levelno": 20, "levelname": "INFO", "created": 1767225600.5}
    )
    logging.getLogger().handle(record)
    assert _lines(out)[0]["timestamp"] == "2026-01-01T00:00:00.500+00:00"


def test_a_library_s_record_has_the_same_form_and_the_bound_fields() -> None:
    out = _configured()
    with structlog.contextvars.bound_contextvars(job_id="job_1", task_id="t"):
        logging.getLogger("celery.worker").warning("lost %s of %d", "one", 3)
        structlog.get_logger("ours").info("mine")
    theirs, ours = _lines(out)
    assert (theirs["level"], theirs["logger"], theirs["event"]) == (
        "warning",
        "celery.worker",
        "lost one of 3",
    )
    assert (theirs["job_id"], theirs["task_id"], ours["job_id"]) == ("job_1", "t", "job_1")


def test_an_exception_is_in_its_line_without_local_variables() -> None:
    out = _configured()
    hidden = "local" + "variable"
    try:
        raise ValueError("boom")  # noqa: TRY301 - an exception with a traceback is what is needed
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("lib").exception("failed")
    for line in _lines(out):
        assert line["event"] == "failed"
        assert "ValueError: boom" in line["exception"]
        assert hidden not in line["exception"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_line_shows_a_secret(log_format: Literal["json", "console"]) -> None:
    out = _configured("DEBUG", log_format)
    ours, theirs = structlog.get_logger("ours"), logging.getLogger("theirs")
    with structlog.contextvars.bound_contextvars(bound=CANARY):
        ours.info("fields", a=CANARY, b=[{"c": CANARY}], error=ValueError(CANARY), secret=SecretStr(CANARY))
        ours.info("positional %s", CANARY)
        ours.info(f"in the event {CANARY}")
    theirs.info("argument %s", CANARY)
    theirs.info("with more", extra={"password": CANARY})
    theirs.info("POST https://user:unknown-canary-password@host Bearer unknown-canary-bearer")
    theirs.info("sent %r", {"Authorization": "unknown-canary-header"})
    try:
        try:
            raise ValueError(CANARY)  # noqa: TRY301 - an exception with a cause is what is needed
        except ValueError as error:
            raise RuntimeError(f"again {CANARY}") from error
    except RuntimeError:
        ours.exception("ours failed")
        theirs.exception("theirs failed")
        ours.error("by hand", exc_info=True, stack_info=True)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"warned of {CANARY}", stacklevel=1)
    text = out.getvalue()
    assert text.count("failed") >= 2
    assert "warned of ***" in text
    assert CANARY not in text
    assert "unknown-canary" not in text


def test_a_record_that_cannot_be_rendered_is_told_without_its_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = _configured()
    logging.getLogger("lib").info("too few %s %s", CANARY)  # noqa: PLE1206 - the mistake is the test
    (line,) = _lines(out)
    assert (line["event"], line["logger"]) == ("log_unrenderable", "lib")
    assert CANARY not in out.getvalue()
    assert capsys.readouterr() == ("", "")


def test_a_closed_stream_stops_nobody() -> None:
    out = _configured()
    out.close()
    structlog.get_logger().info("unheard")


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        (
            "DEBUG",
            [
                "ours DEBUG",
                "ours WARNING",
                "httpx INFO",
                "httpx WARNING",
                "celery.pool INFO",
                "celery.pool WARNING",
            ],
        ),
        ("INFO", ["ours WARNING", "httpx WARNING", "celery.pool INFO", "celery.pool WARNING"]),
        ("ERROR", []),
    ],
)
def test_levels(level: str, heard: list[str]) -> None:
    out = _configured(level)
    for name, levels in [("ours", (10, 30)), ("httpx", (10, 20, 30)), ("celery.pool", (10, 20, 30))]:
        for number in levels:
            logging.getLogger(name).log(number, "%s %s", name, logging.getLevelName(number))
    assert [line["event"] for line in _lines(out)] == heard
    structlog.get_logger("ours").debug("quiet")
    assert ("quiet" in out.getvalue()) == (level == "DEBUG")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("log_format", "out", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", _Terminal(), False),
        ("json", _Terminal(), True),
        ("console", io.StringIO(), False),
    ],
)
def test_formats(log_format: Literal["auto", "json", "console"], out: io.StringIO, is_json: bool) -> None:
    structlog_line = _configured("INFO", log_format, out)
    structlog.get_logger("ours").info("job_posted", job_id="job_1")
    assert structlog_line.getvalue().startswith("{") == is_json
    assert "job_posted" in structlog_line.getvalue()


def test_configured_again_there_is_still_one_line() -> None:
    log = structlog.get_logger("ours")
    _configured()
    log.info("first")
    out = _configured()
    log.info("second")
    assert [line["event"] for line in _lines(out)] == ["second"]


def test_a_library_leaves_its_host_s_logging_alone(caplog: pytest.LogCaptureFixture) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    logs.configure_library(secrets=[SecretStr(CANARY)])
    assert (list(root.handlers), root.level) == before
    with caplog.at_level("INFO"):
        structlog.get_logger("dispatcher.client").info("enqueued", job_id="job_1", key=CANARY)
    assert [record.getMessage() for record in caplog.records] == ["event='enqueued' job_id='job_1' key='***'"]
    assert caplog.records[0].name == "dispatcher.client"


def test_a_library_leaves_its_host_s_structlog_alone() -> None:
    seen: list[Any] = []

    def keep(_logger: Any, _method: str, event_dict: Any) -> Any:
        seen.append(dict(event_dict))
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    logs.configure_library()
    structlog.get_logger().info("enqueued")
    assert seen == [{"event": "enqueued"}]
