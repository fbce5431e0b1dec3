"""Stands beside the simulated network and sees each listing as it lands: whose it is, and what else is alive then.

A copy is a job on the network that was listed for a job of the dispatcher's. It is known by the idempotency key of
its listing, or by the stamp in its definition; never by what the dispatcher says about it.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from dispatcher.domain.ids import JobId
from dispatcher.simulator.jobs import Job as Remote
from dispatcher.simulator.network import Network

Listed = Callable[[JobId, Remote], None]


class Observer:
    """`wrong` fills with sentences at the moment when something is wrong; `tell` is called for each copy."""

    def __init__(self, network: Network, tell: Listed | None = None) -> None:
        self.wrong: list[str] = []
        self.of: defaultdict[JobId, list[Remote]] = defaultdict(list)
        self._network, self._tell = network, tell
        self._posted: Any = network.ledger.posted
        network.ledger.posted = self._saw  # type: ignore[method-assign]

    def _saw(self, remote: Remote, definition: Any, **how: Any) -> None:
        self._posted(remote, definition, **how)
        job_id = owner(self._network, remote)
        if job_id is None:
            self.wrong.append(f"{remote.address} is nobody's")
            return
        alive = [other.address for other in self.of[job_id] if not other.over]
        if alive:
            self.wrong.append(f"{job_id} is listed as {remote.address} while {', '.join(alive)} is alive")
        self.of[job_id].append(remote)
        if self._tell is not None:
            self._tell(job_id, remote)

    def alive(self) -> list[Remote]:
        """Every copy that is listed or runs at this moment."""
        self._network.advance()
        return [remote for copies in self.of.values() for remote in copies if not remote.over]


def owner(network: Network, remote: Remote) -> JobId | None:
    """The job of the dispatcher's that was listed there."""
    key, colon, _ = (remote.key or "").partition(":")
    if colon:
        return JobId(key)
    definition = network.ipfs.definition(remote.cid)
    stamped = None if definition is None else definition.dispatch_id
    return None if stamped is None else JobId(stamped)
