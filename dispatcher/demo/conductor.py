"""The frame around the show: processes are started before it and ended after it, however it ends."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import httpx
from kombu.exceptions import KombuError
from redis import RedisError
from rich.console import Console

from dispatcher import bootstrap, settings
from dispatcher.demo.interruption import Interrupted, Interruption
from dispatcher.demo.processes import environment, missing_packages
from dispatcher.demo.receipt import Receipt
from dispatcher.demo.screen import LiveScreen, PlainLines, Screen, print_receipt, tell
from dispatcher.demo.services import Ready, ServiceFailed, Services
from dispatcher.demo.show import Show, ShowFailed
from dispatcher.domain.errors import DispatcherError
from dispatcher.ops import logs
from dispatcher.ops.clock import monotonic

_DONE: Final = 0
_FAILED: Final = 1
_INTERRUPTED: Final = 130

_WIDTH: Final = 120
"""Columns of the receipt where there is no terminal."""


def conduct(*, as_json: bool, keep_logs: Path | None) -> int:
    """See `dispatcher.demo.run_demo`."""
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console.width = _WIDTH
    if missing := missing_packages():
        tell(console, f"the demo needs {' and '.join(missing)}: pip install 'dispatcher[all]'")
        return _FAILED
    with Interruption() as interruption:
        receipt = _guarded(console, interruption, keep_logs, live=console.is_terminal and not as_json)
        if receipt is None:
            return _INTERRUPTED if interruption.wanted else _FAILED
    if as_json:
        click.echo(json.dumps(receipt.as_json()))
    return _FAILED if receipt.problems() else _DONE


def _guarded(
    console: Console, interruption: Interruption, keep_logs: Path | None, *, live: bool
) -> Receipt | None:
    """The receipt, or None if there is none; why is told. No process and no file is left then."""
    screen: Screen = LiveScreen(console) if live else PlainLines(console)
    with Services(interruption, screen.say, keep_logs=keep_logs) as services:
        try:
            with screen:
                began = monotonic()
                ready = services.start()
                started = monotonic() - began
                with _settings(ready.settings), _logging(ready):
                    show = Show(ready, services, interruption, screen)
                    receipt = show.run()
            print_receipt(console, receipt)
            set_up = started + show.set_up
            tell(
                console,
                f"It took {show.took:.0f} s, after {set_up:.0f} s to set up. Ending the processes ...",
            )
        except Interrupted:
            tell(console, "Interrupted. Ending the processes ... (once more: at once)")
        except ServiceFailed as e:
            tell(console, f"failed: {e}")
        except ShowFailed as e:
            tell(console, _with_log(e, services.worker_log() if e.telling else []))
        except (DispatcherError, httpx.HTTPError, KombuError, RedisError) as e:
            death = services.death()
            tell(console, _with_log(e, services.worker_log()) if death is None else f"failed: {death}")
        else:
            return receipt
    return None


def _with_log(error: Exception, log: list[str]) -> str:
    return "\n".join([f"failed: {error}", *(f"  | {line}" for line in log)])


@contextmanager
def _settings(told: Mapping[str, str]) -> Iterator[None]:
    """The dispatcher's settings in this process's environment, instead of those that were there."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment(before, told))
    try:
        yield
    finally:
        bootstrap.close()
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _logging(ready: Ready) -> Iterator[None]:
    """What the dispatcher logs in this process goes to a file, not between the lines of the screen."""
    with (ready.logs / "demo.log").open("a", encoding="utf-8") as file:
        told = settings.load()
        logs.configure(told, stream=file)
        try:
            yield
        finally:
            logs.configure(told, stream=sys.stderr)
