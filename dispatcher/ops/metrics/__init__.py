"""Figures for Prometheus: read from store and ledger when they are asked for, never from the network.

Belongs here: which figures there are (`figures`: one entry each), reading them without failing as a whole
(`collector`), serving them (`server`). May not be here: a rule about jobs or money, a label whose values a producer
may choose.
"""

from dispatcher.ops.metrics.collector import Collector, exposition, store_trouble
from dispatcher.ops.metrics.server import MetricsServer

__all__ = ["Collector", "MetricsServer", "exposition", "store_trouble"]
