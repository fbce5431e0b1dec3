"""Runs one server, and ends it when the process that asked for it lets go of it or is gone, however it went.

`server` starts this file as a script of its own, so it uses the standard library alone. Its standard input is a
pipe of which the owner holds the other end: when that closes, be it by a crash or by SIGKILL, the server is
stopped. The pipe may live on in processes that the owner forked, so the parent's number is looked at, too. Should
this process itself be killed, Linux kills the server with it.

A process between owner and server rather than the kernel's parent-death signal to the server alone: that signal
comes when the *thread* that started the child ends, it does not exist on macOS, and to ask for it between fork and
exec is not safe in an owner with threads. This process has one thread.

    python guard.py OWNER-PID COMMAND...    writes the server's process number, as one line
"""

import ctypes
import os
import select
import signal
import subprocess
import sys

_LOOK = 1.0
"""Seconds between looks at the parent's number."""

_PATIENCE = 10.0
"""Seconds that the server gets to end on its own."""

_PR_SET_PDEATHSIG = 1


def main(owner: int, command: list[str]) -> int:
    """Run `command` until it ends or has to. Returns an exit status: 0 if the server ended well."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    server = _start(command)
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.close()
    _watch(server, owner, woken)
    server.terminate()
    try:
        server.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    return 0 if server.returncode in {0, -signal.SIGTERM} else 1


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    before_exec = None
    if sys.platform == "linux":
        prctl, here = ctypes.CDLL(None).prctl, os.getpid()

        def before_exec() -> None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != here:  # killed before the line above
                os._exit(1)

    return subprocess.Popen(  # noqa: S603 - the command is what the owner passes
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
        preexec_fn=before_exec,  # noqa: PLW1509 - safe: this process has one thread
    )


def _watch(server: subprocess.Popen[bytes], owner: int, woken: int) -> None:
    """Return when the server ended, the owner let go or is gone, or this process is told to stop."""
    pipe = sys.stdin.fileno()
    while server.poll() is None and os.getppid() == owner:
        ready, _, _ = select.select([pipe, woken], [], [], _LOOK)
        if pipe in ready and not os.read(pipe, 64):
            return
        if woken in ready and {signal.SIGTERM, signal.SIGINT} & set(os.read(woken, 64)):
            return


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), sys.argv[2:]))
