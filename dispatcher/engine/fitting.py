"""Whether the policies of a request can be had on its accounts, before it is taken in or its policies are changed."""

from functools import partial

from dispatcher.domain.errors import SettingsError
from dispatcher.domain.faults import Fault
from dispatcher.domain.fitting import fitting_faults
from dispatcher.domain.ids import AccountName
from dispatcher.domain.request import JobSpec
from dispatcher.engine.parts import Parts


def unfit(parts: Parts, spec: JobSpec) -> list[Fault]:
    """What in the policies the networks, or the job's labels, do not allow for."""
    return fitting_faults(spec, partial(shows_output, parts))


def shows_output(parts: Parts, account: AccountName) -> bool:
    """Whether the account's network shows what comes out of a job while it runs."""
    try:
        return parts.providers.account(account).capabilities.live_output
    except SettingsError:
        return False  # an account that is not here: no network that is known shows it
