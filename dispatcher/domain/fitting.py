"""What a request's policies need beyond themselves: a budget that the job counts for, a network that can do it."""

from collections.abc import Callable

from dispatcher.domain.budget import scopes_of
from dispatcher.domain.faults import Fault
from dispatcher.domain.ids import AccountName
from dispatcher.domain.request import JobSpec
from dispatcher.domain.rules.live import live_fields


def accounts_of(spec: JobSpec) -> tuple[AccountName, ...]:
    """The accounts that its attempts may be paid from, its own first."""
    return tuple(dict.fromkeys(place.account or spec.account for place in spec.places()))


def fitting_faults(spec: JobSpec, shows_output: Callable[[AccountName], bool]) -> list[Fault]:
    """Why the policies cannot be had. `shows_output`: whether an account's network shows output of jobs that run."""
    faults, stop = list[Fault](), spec.policies.stop
    asked = live_fields(stop)
    silent = [account for account in accounts_of(spec) if asked and not shows_output(account)]
    for name in asked if silent else ():
        message = (
            f"needs a network that shows what comes out of a job while it runs, and that of account {silent[0]} "
            "does not: leave it out, and let stop.after end a job that hangs"
        )
        faults.append(Fault(f"policies.stop.{name}", message))
    if spec.node is not None and spec.policies.retry is not None and spec.policies.retry.elsewhere:
        message = "names places where the one host is not that may run it (node): leave one of the two out"
        faults.append(Fault("policies.retry.elsewhere", message))
    counted = [str(scope) for account in accounts_of(spec) for scope in scopes_of(spec, account)]
    if stop.budget is not None and stop.budget not in counted:
        message = (
            f"the job does not count for {stop.budget[:80]!r}: give it the label, or name one of "
            + ", ".join(dict.fromkeys(counted[:20]))
        )
        faults.append(Fault("policies.stop.budget", message))
    return faults
