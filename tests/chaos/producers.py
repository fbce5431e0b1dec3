"""Two producers and an operator: each tries again until it knows that it was heard."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from dispatcher import client
from dispatcher.domain.errors import DispatcherError
from dispatcher.ops.clock import monotonic
from tests.chaos.mix import Wanted

_AGAIN = 0.5
_BATCH = 10


class Crowd:
    """The producers, as threads. `accepted` maps request ids to job ids; `stops` maps job ids to the network's time
    (unix seconds) at which the stop had been taken; `errors` is what nobody expected."""

    def __init__(
        self, wanted: Sequence[Wanted], redis_url: str, now: Callable[[], float], within: float
    ) -> None:
        self._redis_url, self._now = redis_url, now
        self.accepted: dict[str, str] = {}
        self.stops: dict[str, float] = {}
        self.errors: list[str] = []
        self._stop_at: list[tuple[float, str]] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._pause = within / max(len(wanted) / _BATCH / 2, 1)
        self._producers = [
            threading.Thread(target=self._guard, args=(self._by_python, wanted[0::2]), name="python"),
            threading.Thread(target=self._guard, args=(self._by_celery, wanted[1::2]), name="celery"),
        ]
        self._operator = threading.Thread(target=self._guard, args=(self._operate,), name="operator")

    def start(self) -> None:
        for thread in (*self._producers, self._operator):
            thread.start()

    def is_heard(self) -> bool:
        """Whether every request and every stop is known to be taken."""
        with self._lock:
            return not any(thread.is_alive() for thread in self._producers) and not self._stop_at

    def close(self) -> None:
        self._over.set()
        for thread in (*self._producers, self._operator):
            thread.join()

    def _guard(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            work(*arguments)
        except Exception as e:  # noqa: BLE001 - reported with the verdict, of whatever kind it is
            self.errors.append(f"{threading.current_thread().name}: {type(e).__name__}: {e}")

    def _take(self, item: Wanted, job_id: str) -> None:
        with self._lock:
            self.accepted[item.request_id] = job_id
            if item.stop_in is not None:
                self._stop_at.append((monotonic() + item.stop_in, job_id))

    def _by_python(self, wanted: Sequence[Wanted]) -> None:
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            while not self._over.is_set():
                try:
                    handles = client.enqueue_many([item.request for item in batch])
                except DispatcherError:
                    self._over.wait(_AGAIN)
                    continue
                for item, handle in zip(batch, handles, strict=True):
                    self._take(item, handle.id)
                break
            self._over.wait(self._pause)

    def _by_celery(self, wanted: Sequence[Wanted]) -> None:
        for start in range(0, len(wanted), _BATCH):
            waiting = list(wanted[start : start + _BATCH])
            while waiting and not self._over.is_set():
                waiting = self._send(waiting)
            self._over.wait(self._pause)

    def _send(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Send each request; the answer is those of which nothing was heard."""
        unheard = list(wanted)
        with Celery(broker=self._redis_url, backend=self._redis_url, set_as_current=False) as app:
            try:
                sent = [
                    (item, app.send_task("dispatcher.submit", kwargs=item.request, retry=False))
                    for item in wanted
                ]
                patience = monotonic() + 5
                while unheard and monotonic() < patience and not self._over.is_set():
                    for item, result in sent:
                        if item in unheard and result.ready():
                            self._take(item, result.get(disable_sync_subtasks=False)["id"])
                            unheard.remove(item)
                    self._over.wait(0.1)
            except _broker_errors(app):
                self._over.wait(_AGAIN)
        return unheard

    def _operate(self) -> None:
        while not self._over.wait(0.05):
            with self._lock:
                due = [item for item in self._stop_at if item[0] <= monotonic()]
            for item in due:
                try:
                    client.get_job(item[1]).stop(by="chaos")
                except DispatcherError:
                    continue
                with self._lock:
                    self.stops[item[1]] = self._now()
                    self._stop_at.remove(item)


def _broker_errors(app: Any) -> tuple[type[Exception], ...]:
    """What the transport and the results raise while their server is away."""
    with app.connection_for_write() as connection:
        errors: tuple[type[Exception], ...] = (
            OSError,
            RuntimeError,
            OperationalError,  # Celery's own word for a server that is away, or still reading its file
            *connection.recoverable_connection_errors,
            *connection.recoverable_channel_errors,
        )
    return errors
