"""An ideal network, as far as one job sees it."""

from typing import Final

from dispatcher.domain import events as ev
from dispatcher.domain.cid import Cid
from dispatcher.domain.forecast.told import Assumed
from dispatcher.domain.job import Job
from dispatcher.domain.outcome import RunReport
from dispatcher.domain.words import Phase

RESULT_CID: Final = Cid("QmbJWAESqCsf4RFCqEY7jecCashj8usXiyDNfKtZCwwzGb")


NODE: Final = "11111111111111111111111111111112"


class IdealNetwork:
    """An ideal network's record of one job, in its own whole seconds (Nosana credits API, the job record)."""

    def __init__(self, assumed: Assumed, posted_at: float, timeout: int) -> None:
        self._assumed, self.timeout = assumed, timeout
        self._takes_at = posted_at + assumed.queued_for
        self.stopped_at: float | None = None

    @property
    def started_at(self) -> float:
        return float(int(self._takes_at))

    def _end(self) -> tuple[float, str]:
        """When the job is over, and how."""
        ends = [(self.started_at + self.timeout, "expired")]
        if self._assumed.runs_for is not None:
            # First: a host that is done at the very moment of the time-out is done.
            ends.insert(0, (self._takes_at + self._assumed.runs_for, "finished"))
        if self.stopped_at is not None:
            ends.append((self.stopped_at, "stopped"))
        return min(ends, key=lambda end: end[0])

    def is_delisted(self) -> bool:
        return self.stopped_at is not None and self.stopped_at < self._takes_at

    def outcome_of_stop(self, now: float) -> str:
        if now < self._takes_at:
            return "delisted"
        return "ended" if now < self._end()[0] else "already_terminal"

    def is_over(self, now: float) -> bool:
        return now >= self._takes_at and now >= self._end()[0]

    def shown(self, now: float, job: Job) -> ev.Observed:
        at, how = self._end()
        over, started = self.is_over(now), now >= self._takes_at
        uploaded = over and now >= at + self._assumed.results_after
        status = {"finished": "success", "expired": "success", "stopped": "stopped"}[how]
        if how == "finished" and self._assumed.exit_code != 0:
            status = "failed"
        return ev.Observed(
            at=now,
            phase=Phase.DONE if over else Phase.RUNNING if started else Phase.QUEUED,
            timeout=self.timeout,
            started_at=self.started_at if started else None,
            ended_at=float(int(at)) if over else None,
            node=NODE if started else None,
            result_cid=RESULT_CID if uploaded else None,
            status=status if uploaded else None,
            rate_per_hour=job.quote.rate_per_hour if job.quote else None,
            output_at=now if started and job.spec.policies.stop.no_output_for is not None else None,
        )

    def report(self) -> RunReport:
        match self._end()[1]:
            case "expired":
                return RunReport("success", expired=True)
            case "stopped":
                return RunReport("stopped", stopped=True)
            case _:
                code = self._assumed.exit_code
                return RunReport("success" if code == 0 else "failed", exit_code=code)
