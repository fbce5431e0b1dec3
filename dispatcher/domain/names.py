"""The forms of the names that people write in requests and policies: markets, accounts, labels, jobs, scopes."""

import re
from typing import Annotated

from pydantic import AfterValidator

from dispatcher.domain.ids import AccountName, JobId

_MARKET = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}|[a-z0-9][a-z0-9._-]{0,79}")
SCOPED = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""What a scope may name."""

_NAME = re.compile(SCOPED)
_SCOPE = re.compile(rf"account:{SCOPED}|label:{SCOPED}(?:=.{{0,200}})?", re.DOTALL)
_JOB = re.compile(r"job_[0-9a-f]{24}")


def _market(value: str) -> str:
    if not _MARKET.fullmatch(value):
        raise ValueError(
            "not a market: give its address (base58) or its slug, as `dispatcher markets` lists them"
        )
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("may have letters, digits, dots, dashes and underscores, at most 64")
    return value


def scope_name(value: object) -> str:
    """Whose spending a budget is for. Raises `ValueError`, with the way out."""
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        raise ValueError(
            f"{str(value)[:80]!r} is nobody's spending: write account:NAME, label:NAME or label:NAME=VALUE"
        )
    return value


def _job(value: str) -> str:
    if not _JOB.fullmatch(value):
        raise ValueError("not the id of a job: job_ and 24 hexadecimal digits, as `enqueue` answers")
    return value


Market = Annotated[str, AfterValidator(_market)]
"""A market's address (base58) or slug."""

Name = Annotated[str, AfterValidator(_name)]
"""A label, a schedule, a policy set."""

Account = Annotated[AccountName, AfterValidator(_name)]
"""A named credential of the settings."""

Job = Annotated[JobId, AfterValidator(_job)]
"""The id of a job."""
