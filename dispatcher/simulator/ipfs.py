"""What is pinned: documents and files by their CIDs, and the results that hosts uploaded."""

from dataclasses import dataclass
from typing import Any

from dispatcher.simulator import javascript
from dispatcher.simulator.cid import cid_of
from dispatcher.simulator.definitions import Definition, read_definition
from dispatcher.simulator.flows import flow_state
from dispatcher.simulator.jobs import Job


@dataclass(slots=True)
class Pin:
    """Pinned content. It is read as a job definition when a host first asks."""

    content: bytes
    is_json: bool
    definition: Definition | None = None


class Store:
    """All pins. Results are kept as the jobs that they come from and written out when asked for."""

    def __init__(self) -> None:
        self._pins: dict[str, Pin] = {}
        self._results: dict[str, Job] = {}

    def pin_document(self, document: Any) -> tuple[str, int, bool]:
        """Pins a parsed JSON document as JavaScript writes it; (CID, bytes, whether it was pinned already)."""
        return self._pin(javascript.stringify(document).encode(), is_json=True)

    def pin_file(self, content: bytes) -> tuple[str, int, bool]:
        """Pins bytes as they are; (CID, bytes, whether they were pinned already)."""
        return self._pin(content, is_json=_is_json(content))

    def get(self, cid: str) -> tuple[bytes, bool] | None:
        """The content of a CID and whether it is JSON; None if nobody pinned it."""
        pin = self._pins.get(cid)
        if pin is not None:
            return pin.content, pin.is_json
        job = self._results.get(cid)
        return None if job is None else (_result(job), True)

    def definition(self, cid: str) -> Definition | None:
        """What is pinned under `cid`, read as a job definition; None if nobody pinned it."""
        pin = self._pins.get(cid)
        if pin is None:
            return None
        if pin.definition is None:
            pin.definition = read_definition(javascript.parse(pin.content) if pin.is_json else None)
        return pin.definition

    def result_cid(self, job: Job) -> str:
        """The CID of an ended job's result, which can be fetched from now on."""
        if job.result_cid is None:
            job.result_cid = cid_of(_result(job))
            self._results[job.result_cid] = job
        return job.result_cid

    def _pin(self, content: bytes, *, is_json: bool) -> tuple[str, int, bool]:
        cid = cid_of(content)
        known = cid in self._pins
        if not known:
            self._pins[cid] = Pin(content, is_json)
        return cid, len(content), known


def _result(job: Job) -> bytes:
    return javascript.stringify(flow_state(job, logs=True)).encode()


def _is_json(content: bytes) -> bool:
    try:
        javascript.parse(content)
    except (ValueError, RecursionError):
        return False
    return True
