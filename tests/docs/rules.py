"""The table "The rules in their order" of `docs/policies.md`, from the rules' own docstrings."""

from collections.abc import Iterator
from typing import Final

from dispatcher.domain.explain.deeds import sentence
from dispatcher.domain.planner import RULES

BEGIN: Final = "<!-- made by `make docs` from the docstrings of dispatcher/domain/rules: do not edit -->"
END: Final = "<!-- end of what is made -->"


def renewed(page: str) -> str:
    """The page with the table as the planner has it. Raises `ValueError` where the page has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/policies.md has no table of rules between {BEGIN} and {END}")
    return "\n".join([before + begin, *_table(), end + after])


def _table() -> Iterator[str]:
    yield "| rule | what it does |"
    yield "|---|---|"
    for rule in RULES:
        yield f"| {getattr(rule, '__name__', '?')} | {sentence(rule)} |"
