"""The sweep inside every worker: a thread that goes round about ten times a second, so that any worker may die."""

import threading
from typing import Any

import structlog
from celery import bootsteps

from dispatcher import bootstrap
from dispatcher.domain.errors import StoreError
from dispatcher.engine.parts import Parts
from dispatcher.engine.sweep import sweep

_log = structlog.get_logger(__name__)

_AFTER_FAILURE = 2.0
"""Seconds until the next round after the store could not be reached."""


class SweepLoop:
    """Sweeps until it is stopped. `interval` is in seconds of the wall's time."""

    def __init__(self, parts: Parts, interval: float) -> None:
        self._parts, self._interval = parts, interval
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher-sweep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        pause = self._interval
        while not self._stopping.wait(pause):
            pause = self._interval
            try:
                sweep(self._parts)
            except StoreError as e:
                _log.warning("sweep_store_unavailable", error=str(e))
                pause = _AFTER_FAILURE
            except Exception:  # noqa: BLE001 - the loop must outlive whatever one round meets
                _log.exception("sweep_failed")
                pause = _AFTER_FAILURE


class SweepStep(bootsteps.StartStopStep):  # type: ignore[misc] # celery ships no types
    """Starts the sweep with the worker, once its pool is there, and stops it first."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._loop: SweepLoop | None = None

    def start(self, parent: Any) -> None:
        runtime = bootstrap.runtime(parent.app)
        self._loop = SweepLoop(runtime.parts, runtime.settings.sweep_interval.total_seconds())
        self._loop.start()

    def stop(self, parent: Any) -> None:  # noqa: ARG002 - celery's signature
        if self._loop is not None:
            self._loop.stop()

    terminate = stop
