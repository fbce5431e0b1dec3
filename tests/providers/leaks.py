"""What a log can show of an error."""

import traceback
from pathlib import Path

_TESTS = str(Path(__file__).resolve().parents[1])


def everything_shown(error: BaseException) -> str:
    """All of the error's chain, contexts included, with the local variables of every frame that is not a test's."""
    shown: list[str] = []
    todo: list[BaseException | None] = [error]
    while todo:
        part = todo.pop()
        if part is None:
            continue
        shown += [type(part).__name__, str(part), repr(part), repr(vars(part))]
        for frame in traceback.TracebackException.from_exception(part, capture_locals=True).stack:
            if not frame.filename.startswith(_TESTS):
                shown.append(f"{frame.filename}:{frame.lineno} {frame.locals}")
        todo += [part.__cause__, part.__context__]
    return "\n".join(shown)
