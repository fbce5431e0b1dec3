"""How the demo's processes hang together: signals are noted, the pipe decides, descendants are found."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from dispatcher.demo import family
from dispatcher.demo.guardian import Lifeline, tail
from dispatcher.demo.interruption import Interrupted, Interruption


def test_signals_are_noted_and_looked_at_where_it_is_safe() -> None:
    before = signal.getsignal(signal.SIGINT)
    again: list[int] = []
    with Interruption() as interruption:
        interruption.again = lambda: again.append(1)
        interruption.check()
        assert not interruption.wait(0)
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.wait(5)
        with pytest.raises(Interrupted):
            interruption.check()
        assert again == []
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert again == [1, 1]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("said", "over", "hurry"),
    [
        ([], False, False),
        ([b"stop\n"], True, False),
        ([b"stop\n", b"kill\n"], True, True),
        ([b""], True, False),
    ],
)
def test_the_guardian_hears_what_the_demo_wants(said: list[bytes], over: bool, hurry: bool) -> None:
    ours, theirs = os.pipe()
    lifeline = Lifeline(ours)
    for words in said:
        if words:
            os.write(theirs, words)
        else:
            os.close(theirs)
        lifeline.wait(5)
    lifeline.wait(0)
    assert (lifeline.over, lifeline.hurry) == (over, hurry)
    with suppress(OSError):
        os.close(theirs)
    os.close(ours)


def test_waiting_ends_with_what_is_waited_for_or_with_patience() -> None:
    ours, theirs = os.pipe()
    lifeline = Lifeline(ours)
    looks = iter([False, True])
    assert lifeline.until(lambda: next(looks), 10)
    assert not lifeline.until(lambda: False, 0)
    os.write(theirs, b"kill\n")
    assert not lifeline.until(lambda: False, 60)
    assert lifeline.hurry
    os.close(theirs)
    os.close(ours)


@pytest.mark.skipif(sys.platform != "linux", reason="descendants are read from /proc")
def test_descendants_are_found_and_killed() -> None:
    program = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        below = family.descendants([parent.pid])
        assert len(below) == 1
        assert parent.pid not in below
        assert {parent.pid, *below} <= family.descendants([os.getpid()])
        family.kill([*below, *below])
        assert parent.wait(10) == 0
        assert family.descendants([parent.pid]) == set()


def test_the_tail_of_a_log_that_is_not_there_is_empty(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    (folder / "log").write_text("\n".join(str(number) for number in range(50)))
    assert tail(folder / "log", 2) == ["48", "49"]
    assert tail(folder / "none") == []
