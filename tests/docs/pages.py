"""The pages of docs/ that are made, wholly or in part, from the code, and what they have to be."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.docs import lifecycle, rules

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"

MADE: Final[dict[str, Callable[[str], str]]] = {
    "lifecycle.md": lambda _: lifecycle.page(),
    "policies.md": rules.renewed,
}
"""The page, and from the page as it is what it has to be."""


def stale(docs: Path = DOCS) -> dict[str, str]:
    """The pages that are not what they have to be, with what that is."""
    found = {}
    for name, make in MADE.items():
        path = docs / name
        known = path.read_text(encoding="utf-8") if path.exists() else ""
        if (made := make(known)) != known:
            found[name] = made
    return found


def renew(docs: Path = DOCS) -> list[str]:
    """Write the pages that are stale; their names."""
    found = stale(docs)
    for name, text in found.items():
        (docs / name).write_text(text, encoding="utf-8")
    return list(found)
