"""Logs: one line an event, on standard error, for our own events and those of the libraries alike.

An event has a static name (`job_posted`) and fields. Fields that hold for a stretch of work are bound once,
with `structlog.contextvars.bound_contextvars(job_id=..., task_id=...)`, and are then on every line, a
library's too. No line holds a secret (see `scrub`).
"""

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TextIO

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor

from dispatcher.ops import refusals
from dispatcher.ops.scrub import Scrubber

_AT_LEAST = {
    # A line for every call to the network: only for whoever looks for an error in them.
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    # At DEBUG this one writes whole messages, and requests may hold secrets of their producers.
    "celery.pool": logging.INFO,
}
_VERBOSE = {"httpx": logging.INFO, "httpcore": logging.INFO}


class LogSettings(Protocol):
    """What is asked of the settings here."""

    @property
    def log_level(self) -> str:
        """A level of `logging`: INFO."""
        ...

    @property
    def log_format(self) -> Literal["auto", "json", "console"]:
        """One JSON object a line, or lines for people; `auto` is for people where the stream is a terminal."""
        ...

    def secrets(self) -> Iterable[SecretStr]:
        """What no line may show."""
        ...


def configure(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Make this process log to `stream` (default: standard error).

    Replaces what the root logger did before, and may be called again. For a process of ours (worker, beat, command
    line); a library must not do this to its host: see `configure_library`.
    """
    out = sys.stderr if stream is None else stream
    scrubber = Scrubber(settings.secrets())
    handler = _Handler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                _timestamp,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # not its rich sibling, which shows local variables
                scrubber,
                _renderer(out, settings.log_format),
            ],
            foreign_pre_chain=_shared(),
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name, least in _AT_LEAST.items():
        limit = _VERBOSE.get(name, least) if root.level <= logging.DEBUG else least
        logging.getLogger(name).setLevel(max(limit, root.level))
    consumer = logging.getLogger(refusals.LOGGER)
    if not any(isinstance(each, refusals.WithoutMessages) for each in consumer.filters):
        consumer.addFilter(refusals.WithoutMessages())
    logging.captureWarnings(capture=True)
    _route(
        [structlog.stdlib.filter_by_level, *_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    )


def configure_library(*, secrets: Iterable[SecretStr | str] = ()) -> None:
    """Hand our events to the host application's `logging`, as `event='...' key=value` without secrets.

    Nothing is done where the host configured structlog itself: our events then go where it sends its own. No
    handler and no level is touched.
    """
    if not structlog.is_configured():
        _route(
            [
                structlog.stdlib.filter_by_level,
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.PositionalArgumentsFormatter(),
                structlog.processors.format_exc_info,
                Scrubber(secrets),
                structlog.processors.KeyValueRenderer(key_order=["event"]),
            ]
        )


def _route(processors: list[Processor]) -> None:
    structlog.configure(
        processors=processors,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # or loggers that are already in use would keep the old way
    )


def _shared() -> list[Processor]:
    """What our own events and the libraries' records go through alike."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
    ]


def _timestamp(_logger: Any, _method: str, event_dict: EventDict) -> EventDict:
    """When, how grave, from where, what: first, and always in this order. The time is the record's own."""
    record: logging.LogRecord = event_dict["_record"]
    first = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": event_dict.pop("level"),
        "logger": event_dict.pop("logger"),
        "event": event_dict.pop("event"),
    }
    return {**first, **event_dict}


def _renderer(out: TextIO, log_format: str) -> Processor:
    terminal = out.isatty()
    if log_format == "console" or (log_format == "auto" and terminal):
        return structlog.dev.ConsoleRenderer(
            colors=terminal, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
        )
    return structlog.processors.JSONRenderer(ensure_ascii=False)


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        """Say where a line failed. The inherited way prints the arguments, secrets and all."""
        line = {
            "event": "log_unrenderable",
            "logger": record.name,
            "file": record.filename,
            "line": record.lineno,
        }
        try:
            self.stream.write(json.dumps(line) + self.terminator)
        except (OSError, ValueError):  # the stream is gone or closed, and with it the only place to say so
            return
