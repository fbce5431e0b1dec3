"""Both stores on Redis or Valkey (6.2 or later; one server, not a cluster).

Each method that changes something is one Lua script, so that it happens whole or not at all: `lua/jobs` for the
store, `lua/ledger` for the ledger, `lua/traffic` for the traffic, `lua/schedules` for schedules, each folder with a
`prelude.lua` in front of its scripts. The scripts never ask the server for the time and set no expiry: `now` comes from
the caller and may be simulated.

Belongs here: keys, scripts, turning records into JSON and back, translating redis-py's errors. May not be here: a
rule that the store in memory does not have too.
"""

from dispatcher.store.redis.connection import connect
from dispatcher.store.redis.ledger import RedisLedger
from dispatcher.store.redis.schedules import RedisSchedules
from dispatcher.store.redis.store import RedisStore
from dispatcher.store.redis.traffic import RedisTraffic

__all__ = ["RedisLedger", "RedisSchedules", "RedisStore", "RedisTraffic", "connect"]
