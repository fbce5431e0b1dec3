"""Reads the figures for one scrape. What cannot be had is absent, and counted; the rest is there all the same."""

import threading
from collections.abc import Iterator
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as BaseCollector

from dispatcher.domain.errors import StoreError
from dispatcher.engine.parts import Parts
from dispatcher.ops.metrics.figures import FIGURES, Figure, Scrape

_log = structlog.get_logger(__name__)

UP: Final = (
    "dispatcher_store_up",
    "Whether the store answers: 1 or 0. If not, nothing that it keeps is shown.",
)
ERRORS: Final = (
    "dispatcher_scrape_errors_total",
    "Figures that could not be read and are absent, since this process began.",
)


class Collector(BaseCollector):
    """For a registry of prometheus_client. Threads may collect at the same time."""

    def __init__(self, parts: Parts, figures: tuple[Figure, ...] = FIGURES) -> None:
        self._parts, self._figures = parts, figures
        self._lock = threading.Lock()
        self._errors = 0

    def describe(self) -> list[Metric]:
        """What there may be, read from nowhere."""
        families = [_family(figure) for figure in self._figures]
        return [GaugeMetricFamily(*UP), *families, CounterMetricFamily(*ERRORS)]

    def collect(self) -> Iterator[Metric]:
        """Read everything once."""
        scrape = Scrape(self._parts)
        trouble = store_trouble(scrape)
        yield GaugeMetricFamily(*UP, value=0.0 if trouble else 1.0)
        if trouble:
            self._failed(len(self._figures))
            _log.warning("scrape_failed", figures=len(self._figures), error=trouble)
        else:
            for figure in self._figures:
                try:
                    family = _family(figure)
                    for labels, value in figure.samples(scrape).items():
                        family.add_metric(labels, value)
                except Exception as e:  # noqa: BLE001 - one figure, whatever is wrong with it, must not cost the others
                    self._failed(1)
                    _log.warning("scrape_failed", figure=figure.name, error=type(e).__name__)
                else:
                    yield family
        with self._lock:
            errors = self._errors
        yield CounterMetricFamily(*ERRORS, value=float(errors))

    def _failed(self, count: int) -> None:
        with self._lock:
            self._errors += count


def store_trouble(source: Scrape | Parts) -> str | None:
    """Why the store does not answer, in one sentence; None if it does."""
    try:
        if isinstance(source, Scrape):
            _ = source.earliest_due
        else:
            source.store.earliest_due()
    except StoreError as e:
        return str(e)
    return None


def exposition(collector: Collector, accept: str = "") -> tuple[bytes, str]:
    """All figures as text, and its content type; `accept`: the scraper's Accept header."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _family(figure: Figure) -> GaugeMetricFamily | CounterMetricFamily:
    family = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
    return family(figure.name, figure.help, labels=figure.labels)
