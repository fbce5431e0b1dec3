"""Nosana, by its prepaid credits API; definitions are pinned through Pinata and read back from an IPFS gateway.

Belongs here: what is particular to this API (docs/nosana.md). `provider` has the calls, `answers` and `flow`
read what comes back, `translation` turns refusals and lost connections into errors, `wire` moves the bytes.

May not be here: anything that another network would need as well, and what the package above forbids.
"""

from dispatcher.providers.nosana.provider import NosanaProvider as NosanaProvider
from dispatcher.providers.nosana.wire import Timeouts as Timeouts

__all__ = ["NosanaProvider", "Timeouts"]
