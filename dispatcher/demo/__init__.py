"""The demonstration: the main job on this machine, with real processes, in under a minute.

Belongs here: the requests that it shows and what must become of them, the processes that it needs and how they
are ended, the screen, the receipt. May not be here: anything that the dispatcher itself needs. The demo drives the
public Python API as any application would; of the simulated network it uses the control routes besides.

Where to look: `scenario` says what is shown, `conductor` does it, `screen` and `receipt` tell it, `guardian` owns
every process and file that it takes.
"""

from pathlib import Path


def run_demo(*, as_json: bool, keep_logs: Path | None) -> int:
    """Show it. The answer is an exit code: 0 if everything came about and the books agree, 1 if not, 130 after Ctrl-C.

    `as_json`: standard output gets one JSON object and nothing else, progress goes to standard error. `keep_logs`:
    a directory for the processes' logs; without it they are gone at the end.
    """
    # Heavy, and not for the guardian, a process of this package that must start quickly.
    from dispatcher.demo.conductor import conduct  # noqa: PLC0415

    return conduct(as_json=as_json, keep_logs=keep_logs)
