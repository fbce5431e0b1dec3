"""The hosts of one market and the queue in front of them. Every step is O(1), with any number of hosts."""

from collections import OrderedDict, deque
from collections.abc import Iterator

from dispatcher.simulator.identifiers import derived_address
from dispatcher.simulator.jobs import Job


class Pool:
    """Free hosts, taken in the order in which they became free, and jobs that wait, first come first served.

    A job that names a host waits for that one alone. Host addresses depend on the seed, the market and a
    number only, and are made when they are first needed.
    """

    def __init__(self, market: str, hosts: int, seed: int) -> None:
        self._market = market
        self._seed = seed
        self._size = hosts
        self._free: OrderedDict[str, None] = OrderedDict()
        self._all: dict[str, None] = {}
        self._waiting: deque[Job] = deque()
        self._waiting_for: dict[str, deque[Job]] = {}
        self._arrivals = 0

    def hosts(self) -> list[str]:
        """The addresses of all hosts of this market."""
        while len(self._all) < self._size:
            self._free[self._make()] = None
        return list(self._all)

    def resize(self, hosts: int) -> Iterator[tuple[Job, str]]:
        """So many hosts from now on. The answer: the jobs that waited for one, each with the one that takes it.

        Of more hosts than that those at work go when they are free; an idle one only seems to be there.
        """
        self._size = hosts
        if self._waiting_for:
            self.hosts()
        for host in list(self._free):
            if not self._has_room():
                return
            del self._free[host]
            if (job := self.release(host)) is not None:
                yield job, host
        while self._has_room() and len(self._all) < self._size and _skip_gone(self._waiting):
            yield self._waiting.popleft(), self._make()

    def _has_room(self) -> bool:
        return len(self._all) - len(self._free) < self._size

    def take(self, job: Job) -> str | None:
        """A host for a job that is ready; None when it has to wait, and then it is in the queue."""
        job.arrival = self._arrivals = self._arrivals + 1
        if job.wanted_node is not None:
            self.hosts()
            if job.wanted_node in self._free and self._has_room():
                del self._free[job.wanted_node]
                return job.wanted_node
            self._waiting_for.setdefault(job.wanted_node, deque()).append(job)
            return None
        if self._free and self._has_room():
            return self._free.popitem(last=False)[0]
        if self._has_room() and len(self._all) < self._size:
            return self._make()
        self._waiting.append(job)
        return None

    def release(self, host: str) -> Job | None:
        """Frees a host. A job that waited for it, in order of arrival, takes it at once and is returned."""
        self._free[host] = None
        if not self._has_room():
            return None
        queues = [queue for queue in (self._waiting, self._waiting_for.get(host)) if _skip_gone(queue)]
        if queues:
            del self._free[host]
            return min((queue for queue in queues if queue), key=lambda queue: queue[0].arrival).popleft()
        self._waiting_for.pop(host, None)
        return None

    def _make(self) -> str:
        host = derived_address("simulated host", self._seed, self._market, len(self._all))
        self._all[host] = None
        return host


def _skip_gone(queue: deque[Job] | None) -> bool:
    """Drops jobs at the head that left the queue meanwhile; whether one is left."""
    while queue and queue[0].end is not None:
        queue.popleft()
    return bool(queue)
