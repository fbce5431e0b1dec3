"""Stops by what comes out of a job while it runs, on a network that shows it."""

from dispatcher.domain.job import Job, Remote
from dispatcher.domain.policies import StopPolicy
from dispatcher.domain.rules.polling import quiet_from
from dispatcher.domain.words import Reason

LIVE_FIELDS = ("no_output_for", "result_matches")
"""The fields of a stop policy that need a network which shows output while a job runs."""


def live_stops(job: Job, remote: Remote) -> list[tuple[float, Reason]]:
    """From when on each of them stops the job. Silence counts once a look came after it was long enough."""
    match, found = job.spec.policies.stop.result_matches, []
    quiet = quiet_from(job)
    if quiet is not None and remote.seen_at is not None and remote.seen_at >= quiet:
        found.append((quiet, Reason.NO_OUTPUT))
    if match is not None and match.holds(remote.results.get(match.key)):
        found.append((0.0, Reason.RESULT_MATCHED))
    return found


def live_fields(stop: StopPolicy) -> list[str]:
    """Which of them the policy asks for, by their names."""
    return [name for name in LIVE_FIELDS if getattr(stop, name) is not None]
