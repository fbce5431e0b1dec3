"""Both stores in this process: what tests and forecasts run on. Thread-safe, deterministic, gone with the process.

Belongs here: dictionaries and heaps behind one lock. May not be here: I/O, another behaviour than on Redis.
"""

from dispatcher.store.memory.ledger import MemoryLedger
from dispatcher.store.memory.schedules import MemorySchedules
from dispatcher.store.memory.store import MemoryStore
from dispatcher.store.memory.traffic import MemoryTraffic

__all__ = ["MemoryLedger", "MemorySchedules", "MemoryStore", "MemoryTraffic"]
