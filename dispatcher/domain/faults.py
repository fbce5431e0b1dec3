"""A fault: one thing that is wrong with an input, where it is, and the way out."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`path` names the place (`market`, `$input.ops[0].args.image`); `message` what is wrong and what would do."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"

    def as_dict(self) -> dict[str, str]:
        return {"path": self.path, "message": self.message}


def under(prefix: str, faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """The same faults, with `prefix` before every path: `requests[3]` and `market` give `requests[3].market`."""
    return tuple(Fault(f"{prefix}.{fault.path}", fault.message) for fault in faults)


def among(faults: Iterable[Fault], index: int, count: int) -> tuple[Fault, ...]:
    """The faults of the request at `index` of `count`: their paths begin with `requests[i]` if there are several."""
    return under(f"requests[{index}]", faults) if count > 1 else tuple(faults)
