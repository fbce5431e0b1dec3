"""A Redis server of our own, for a machine that has none.

Belongs here: finding a server program, starting it on the loopback interface, ending it with the process that wanted
it. May not be here: what is stored in it, or any use of a server that somebody else runs.
"""

from dispatcher.ops.embedded.foreground import run_foreground
from dispatcher.ops.embedded.server import EmbeddedRedis, find_server

__all__ = ["EmbeddedRedis", "find_server", "run_foreground"]
