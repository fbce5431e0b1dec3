"""Foreign text on one line."""

from typing import Final

_ELLIPSIS: Final = "..."


def one_line(text: str, at_most: int) -> str:
    """`text` without control characters and line breaks, blanks collapsed, at most `at_most` characters.

    Longer text ends in `...`. Control characters go because the line may end up on a terminal; half characters
    (lone surrogates) go because the store writes UTF-8.
    """
    # The bound is applied before the slow part as well; blanks can only make the text shorter.
    printable = "".join(character if character.isprintable() else " " for character in text[: 64 * at_most])
    line = " ".join(printable.split())
    return line if len(line) <= at_most else line[: at_most - len(_ELLIPSIS)] + _ELLIPSIS
