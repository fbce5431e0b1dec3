"""A fault: one thing that is wrong with an input, where it is, and the way out."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError


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


def faults_of(error: ValidationError, root: str, unknown: str, *, within: str = "") -> list[Fault]:
    """pydantic's words in ours, without what was written: it may hold secrets.

    `root` names the whole; `unknown` ends the sentence `is not a field of ...`; `within` goes before every path.
    """
    found = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        path = ".".join(str(part) for part in (within, *item["loc"]) if part != "") or root
        match item["type"]:
            case "missing":
                message = "is missing"
            case "extra_forbidden":
                message = f"is not a field of {unknown}"
            case "model_type" | "dict_type":
                message = "must be an object"
            case _:
                message = str(item["msg"]).removeprefix("Value error, ")
        found.append(Fault(path, message))
    return found
