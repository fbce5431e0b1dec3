"""One thing in a request that works against itself."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Conflict:
    """`path`: the field of the request, `message`: what is wrong and the way out."""

    severity: Literal["error", "warning"]
    path: str
    message: str
