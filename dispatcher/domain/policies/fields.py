"""What the fields of policies are made of, and the network's limits on run time."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from dispatcher.domain.duration import Duration, format_duration
from dispatcher.domain.money import Usd

SHORTEST_TIMEOUT = 60
"""Seconds; the network's front end and clients offer no less (Nosana: range 60 to 360000, inferred)."""


LONGEST_TIMEOUT = 360_000
"""Seconds; the same source."""


STOP_GRACE = 60
"""Seconds posted beyond a planned stop: if every dispatcher process dies, the network itself ends the job then."""


_NUMBER = re.compile(r"[-+.\d_eE]*")


def _written(value: Any) -> Any:
    """Refuses what pydantic would take for unix seconds or milliseconds, whichever it thinks likelier."""
    if isinstance(value, datetime) or (isinstance(value, str) and not _NUMBER.fullmatch(value.strip())):
        return value
    raise ValueError("a time is a date with its offset: 2026-12-24T18:00:00+01:00, or ...Z for UTC")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its offset: 2026-12-24T18:00:00+01:00, or ...Z for UTC")
    return value


def at_least(shortest: timedelta, value: timedelta) -> timedelta:
    if value < shortest:
        raise ValueError(f"must be {format_duration(shortest)} or more")
    return value


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError("must be more than 0 US dollars")
    return value


AwareDatetime = Annotated[datetime, BeforeValidator(_written), AfterValidator(_aware)]


Budget = Annotated[Usd, AfterValidator(_positive)]


Interval = Annotated[Duration, AfterValidator(partial(at_least, timedelta(seconds=1)))]


Extension = Annotated[Duration, AfterValidator(partial(at_least, timedelta(seconds=SHORTEST_TIMEOUT)))]


class Policy(BaseModel):
    """What all policies share: frozen, strict about unknown fields, silent about input values in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
