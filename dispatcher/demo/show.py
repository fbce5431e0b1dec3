"""The show itself: requests go in through the public Python API, the world acts on them, the end is added up."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from dispatcher import JobHandle, JobRequest, enqueue
from dispatcher.client import balance
from dispatcher.demo.interruption import Interruption
from dispatcher.demo.network import Network
from dispatcher.demo.processes import KEYS, WORKERS
from dispatcher.demo.receipt import ZERO, Books, Line, Receipt
from dispatcher.demo.rows import Row, follow_ups, job_row, last_words, refused_row, waiting_row
from dispatcher.demo.scenario import ARRIVING, CREDITS, SCENES, Scene
from dispatcher.demo.screen import Screen, Snapshot
from dispatcher.demo.services import Ready, Services
from dispatcher.domain.duration import parse_duration
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.faults import Fault
from dispatcher.domain.money import format_usd, parse_usd
from dispatcher.domain.words import Reason, State
from dispatcher.ops.clock import Ticker, monotonic, parse_clock

_LOOK: Final = 0.2
"""Seconds between pictures."""

_BALANCES: Final = 5
"""Pictures for each look at the balances, which the network is asked for."""

_PING: Final = 0.4
_WORKERS_WITHIN: Final = 60.0
_JOBS_WITHIN: Final = 180.0
"""Seconds after which the demo gives up; a quarter of them is enough on a machine that is not overloaded."""


class ShowFailed(Exception):
    """It did not come about; the message says what. `telling`: whether the workers' log may say why."""

    def __init__(self, message: str, *, telling: bool = True) -> None:
        super().__init__(message)
        self.telling = telling


@dataclass
class _Act:
    """One scene under way. Times in unix seconds of the network's clock."""

    scene: Scene
    handle: JobHandle | None = None
    faults: Sequence[Fault] = ()
    short_since: float | None = None
    intervened: bool = False

    @property
    def over(self) -> bool:
        return bool(self.faults) or (self.handle is not None and self.handle.done)

    @property
    def enqueued(self) -> JobHandle:
        if self.handle is None:
            raise ShowFailed(f"{self.scene.name} was not enqueued")
        return self.handle


class Show:
    """Plays the scenes against services that run. The settings must be in the environment already.

    `run` raises `ShowFailed`, `Interrupted`, `ServiceFailed`, and what the API and the network raise.
    """

    def __init__(self, ready: Ready, services: Services, interruption: Interruption, screen: Screen) -> None:
        self._services, self._interruption, self._screen = services, interruption, screen
        self._network = Network(ready.settings["DISPATCHER_NOSANA_API_URL"])
        self._clock = parse_clock(ready.clock)
        self._acts = [_Act(scene) for scene in SCENES]
        self._balances: list[str] = []
        self._pictures = 0
        self._began = monotonic()
        self.set_up = 0.0
        """Real seconds until the workers answered."""
        self.took = 0.0
        """Real seconds from the first request to the last job's end."""

    def run(self) -> Receipt:
        self._await_workers()
        at_start = self._available()
        began = monotonic()
        self.set_up = began - self._began
        self._enqueue()
        ticker = Ticker(_LOOK)
        while not all(act.over for act in self._acts):
            if monotonic() - began > _JOBS_WITHIN:
                late = ", ".join(act.scene.name for act in self._acts if not act.over)
                raise ShowFailed(f"after {_JOBS_WITHIN:.0f} seconds these are not over: {late}")
            ticker.wait(self._interruption)
            self._watch()
            for act in self._acts:
                self._intervene(act)
        self.took = monotonic() - began
        return self._receipt(at_start)

    def _watch(self) -> None:
        """Look at everything once, and show it."""
        self._interruption.check()
        self._services.check()
        for act in self._acts:
            if act.handle is not None and not act.handle.done:
                act.handle.refresh()
        if self._pictures % _BALANCES == 0:
            self._balances = [_account(name) for name in CREDITS]
        self._pictures += 1
        self._screen.show(Snapshot([self._row(act) for act in self._acts], self._balances))

    def _await_workers(self) -> None:
        from dispatcher.celery import app  # noqa: PLC0415 - reads the settings, which are there only now

        self._screen.say(f"waiting for {WORKERS} workers")
        deadline = monotonic() + _WORKERS_WITHIN
        while (count := len(app.control.ping(timeout=_PING))) < WORKERS:
            self._interruption.check()
            self._services.check()
            if monotonic() > deadline:
                raise ShowFailed(f"{count} of {WORKERS} workers answer")
        if count > WORKERS:
            raise ShowFailed(
                "other workers listen to the same broker, and would take the demo's messages: "
                "set DISPATCHER_BROKER_URL to a broker, or a database of it, that nobody uses",
                telling=False,
            )

    def _enqueue(self) -> None:
        for act in self._acts:
            try:
                act.handle = enqueue(JobRequest(**act.scene.request(self._clock.now())))
            except InvalidRequest as e:
                act.faults = e.faults
                self._screen.say(
                    f"{act.scene.name} is refused with {len(e.faults)} faults; nothing is stored"
                )
            self._watch()

    def _row(self, act: _Act) -> Row:
        if act.faults:
            return refused_row(act.scene, act.faults)
        if act.handle is None:
            return waiting_row(act.scene)
        return job_row(act.scene, act.handle.view(), follow_ups(act.handle.job, self._clock.now()))

    def _intervene(self, act: _Act) -> None:
        """What the scene wants from outside, once its time has come."""
        if act.handle is None or act.intervened or act.over:
            return
        if act.scene.operator_after is not None:
            self._operate(act, act.handle, act.scene.operator_after.total_seconds())
        if act.scene.credit_after is not None:
            self._add_credit(act, act.handle, act.scene.credit_after.total_seconds())

    def _operate(self, act: _Act, handle: JobHandle, after: float) -> None:
        ran = handle.view()["ran_for"]
        if ran and parse_duration(ran).total_seconds() >= after:
            act.intervened = True
            self._screen.say(f"the operator stops {act.scene.name}, which ran for {ran}")
            handle.stop(by="operator")

    def _add_credit(self, act: _Act, handle: JobHandle, after: float) -> None:
        if handle.reason is not Reason.AWAITING_CREDIT:
            return
        now = self._clock.now()
        act.short_since = now if act.short_since is None else act.short_since
        if now - act.short_since >= after:
            act.intervened = True
            account = act.scene.account
            self._screen.say(f"${format_usd(ARRIVING)} of credit arrive on the account {account!r}")
            self._network.add_credit(KEYS[account], ARRIVING)

    def _available(self) -> Decimal:
        return sum((parse_usd(balance(name)["available_usd"]) for name in CREDITS), ZERO)

    def _receipt(self, at_start: Decimal) -> Receipt:
        self._screen.say("every job is over: adding up")
        held = sum((parse_usd(balance(name)["held_usd"]) for name in CREDITS), ZERO)
        added = sum((ARRIVING for act in self._acts if act.scene.credit_after and act.intervened), ZERO)
        books = Books(at_start=at_start, added=added, after=self._available(), held=held)
        return Receipt([self._line(act) for act in self._acts], books, self._network.counts())

    def _line(self, act: _Act) -> Line:
        scene = act.scene
        if act.faults:
            said = [f"was refused: {fault}" for fault in act.faults]
            return Line(scene.name, scene.shows, scene.fate, State.REJECTED, Reason.REFUSED, said=said)
        seen = act.enqueued.refresh().view()
        return Line(
            name=scene.name,
            shows=scene.shows,
            fate=scene.fate,
            state=seen["state"],
            reason=seen["reason"],
            posts=seen["posts"],
            extends=seen["extends"],
            ran_for=seen["ran_for"],
            cost=parse_usd(seen["cost"]["settled_usd"]),
            said=_reported(act.enqueued) if seen["state"] == State.FAILED else (),
        )


def _reported(handle: JobHandle) -> list[str]:
    """Why a job failed, in the words that the network and the job itself left."""
    seen = handle.view()
    if seen["reason"] == Reason.EXIT_CODE:
        return [
            f"failed: exit code {seen['exit_code']}, and its last line was: {last_words(handle.result())}"
        ]
    return [f"failed: {seen['reason']}; {seen['detail'] or 'nothing more is known'}"]


def _account(name: str) -> str:
    seen = balance(name)
    return (
        f"account {name:<8} ${seen['available_usd']} available, ${seen['reserved_usd']} reserved by the network, "
        f"${seen['settled_usd']} spent"
    )
