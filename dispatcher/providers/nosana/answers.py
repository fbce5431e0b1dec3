"""What the API's 2xx answers say, as the ports' values. Unknown fields are ignored, missing ones not guessed.

Every function takes decoded JSON (fractions as `Decimal`) and raises `Unreadable` if something needed is not
there. Source of all shapes: Nosana credits API, endpoints and the job record (docs/nosana.md).
"""

from decimal import Decimal
from typing import Any, Final, Literal

from dispatcher.domain.cid import NULL_CID, Cid, is_cid
from dispatcher.domain.definition.stamp import read_stamp
from dispatcher.domain.ids import MarketAddress, ProjectAddress, RemoteAddress
from dispatcher.domain.words import Phase
from dispatcher.ports.provider import (
    Balance,
    ExtendedJob,
    ListedJob,
    Market,
    PostedJob,
    RemoteJob,
    RequiredResources,
    StoppedJob,
)
from dispatcher.providers.nosana.addresses import NO_NODE, is_address
from dispatcher.providers.nosana.lines import one_line
from dispatcher.providers.nosana.reading import (
    Unreadable,
    a_list,
    a_whole_number,
    an_object,
    dollars,
    maybe_number,
    maybe_text,
    read_json,
)

_PHASES: Final = {0: Phase.QUEUED, 1: Phase.RUNNING, 2: Phase.DONE, 3: Phase.HOST_QUIT}

_LATEST: Final = 10**11
"""Unix seconds of the year 5138; more than that is milliseconds."""

_STATUS_AT_MOST: Final = 64
_NAME_AT_MOST: Final = 120
"""Characters of a name or an identifier: longer ones than any that the network has given out."""

_NAMES_AT_MOST: Final = 200
_MARKETS_AT_MOST: Final = 10_000


def balance(value: object) -> Balance:
    """`{assignedCredits, reservedCredits, settledCredits}`, US dollars."""
    fields = an_object(value, "the balance")
    return Balance(
        assigned=dollars(fields, "assignedCredits"),
        reserved=dollars(fields, "reservedCredits"),
        settled=dollars(fields, "settledCredits"),
    )


def markets(value: object) -> tuple[Market, ...]:
    """A list of markets. One without a usable address is left out: the others are no worse for it."""
    records = a_list(value, "the list of markets")[:_MARKETS_AT_MOST]
    found = tuple(
        market(record) for record in records if isinstance(record, dict) and is_address(record.get("address"))
    )
    if records and not found:
        raise Unreadable("no market in the list has an address")
    return found


def market(value: object) -> Market:
    """One market. Without a usable price or a usable fee its price is None: half a price would be a guess."""
    fields = an_object(value, "the market")
    address = fields.get("address")
    if not is_address(address):
        raise Unreadable("the market's address is missing")
    fee = maybe_number(fields.get("network_fee_percentage"))
    if fee is not None and fee < 0:
        fee = None
    gpu_types = fields.get("gpu_types")
    lowest_vram = fields.get("lowest_vram")
    return Market(
        address=MarketAddress(address),
        slug=_name(fields.get("slug")) or "",
        name=_name(fields.get("name")) or "",
        kind=_name(fields.get("type")) or "",
        usd_per_hour=_price(fields.get("usd_reward_per_hour")) if fee is not None else None,
        fee_percent=fee if fee is not None else Decimal(0),
        gpu_types=_texts(gpu_types) if isinstance(gpu_types, list) else (),
        lowest_vram=lowest_vram if type(lowest_vram) is int else None,
    )


def required_resources(value: object) -> RequiredResources:
    """`{required_images, required_remote_resources}`."""
    fields = an_object(value, "the answer")
    resources = a_list(fields.get("required_remote_resources"), "required_remote_resources")
    return RequiredResources(
        images=_texts(a_list(fields.get("required_images"), "required_images")),
        remote_resources=tuple(resource for resource in resources if isinstance(resource, dict)),
    )


def pinned(value: object) -> Cid:
    """`{IpfsHash, ...}` of Pinata's API."""
    found = an_object(value, "the answer").get("IpfsHash")
    if not isinstance(found, str) or not is_cid(found):
        raise Unreadable("IpfsHash is not a CID")
    return found


def posted(value: object) -> PostedJob:
    """`{tx, job, run, credits: {costUSD, reservationId, project, ...}}`."""
    fields = an_object(value, "the answer")
    job = fields.get("job")
    if not is_address(job):
        raise Unreadable("the job's address is missing")
    credit = an_object(fields.get("credits"), "credits")
    return PostedJob(
        address=RemoteAddress(job),
        run=_name(fields.get("run")),
        amount=_cost(credit),
        reservation=_name(credit.get("reservationId")),
        tx=_name(fields.get("tx")),
        project=_project(credit),
    )


def extended(value: object) -> ExtendedJob:
    """`{tx, job, credits: {costUSD, reservationId}}`; for a job that was over, `tx` null and no credits."""
    fields = an_object(value, "the answer")
    credit = fields.get("credits")
    if credit is None and "tx" in fields and fields["tx"] is None:
        return ExtendedJob(amount=Decimal(0), landed=False)
    credit = an_object(credit, "credits")
    return ExtendedJob(
        amount=_cost(credit),
        landed=True,
        reservation=_name(credit.get("reservationId")),
        tx=_name(fields.get("tx")),
    )


def stopped(value: object) -> StoppedJob:
    """`{tx, job, delisted}`, and from the third generation of the API on `outcome`, which then decides."""
    fields = an_object(value, "the answer")
    return StoppedJob(outcome=_outcome(fields), tx=_name(fields.get("tx")))


def remote_job(value: object) -> RemoteJob:
    """The job record. Its times are unix seconds (those in a result document are milliseconds), 0 until set."""
    fields = an_object(value, "the job record")
    node, definition = fields.get("node"), _object_or_text(fields.get("jobDefinition"))
    return RemoteJob(
        phase=_phase(fields),
        timeout=a_whole_number(fields, "timeout"),
        started_at=_moment(fields, "timeStart"),
        ended_at=_moment(fields, "timeEnd"),
        node=node if is_address(node) and node != NO_NODE else None,
        result_cid=_result_cid(fields.get("ipfsResult")),
        status=_status(fields),
        usd_per_hour=_price(fields.get("usdRewardPerHour")),
        cid=_cid(fields),
        market=_market(fields),
        listed_at=_maybe_moment(fields.get("listedAt")),
        stamp=read_stamp(definition),
        defined=isinstance(definition, dict),
        project=_project(fields),
    )


def listed_jobs(value: object) -> tuple[ListedJob, ...]:
    """`{jobs: [{address, ipfsJob, market, state, timeStart, timeEnd, timeout, listedAt, ...}], totalJobs}`.

    One that cannot be read makes the list unreadable: it may be the one that is looked for.
    """
    records = a_list(an_object(value, "the answer").get("jobs"), "the list of jobs")
    return tuple(_listed(an_object(record, "a job in the list")) for record in records)


def _listed(fields: dict[str, Any]) -> ListedJob:
    address = fields.get("address")
    if not is_address(address):
        raise Unreadable("the address of a job in the list is missing")
    return ListedJob(
        address=RemoteAddress(address),
        cid=_cid(fields),
        market=_market(fields),
        phase=_phase(fields),
        listed_at=_moment(fields, "listedAt") if "listedAt" in fields else None,
        timeout=a_whole_number(fields, "timeout"),
        started_at=_moment(fields, "timeStart"),
        ended_at=_moment(fields, "timeEnd"),
    )


def _phase(fields: dict[str, Any]) -> Phase:
    phase = _PHASES.get(a_whole_number(fields, "state"))
    if phase is None:
        raise Unreadable("the state is unknown")
    return phase


def _cid(fields: dict[str, Any]) -> Cid | None:
    found = fields.get("ipfsJob")
    return found if isinstance(found, str) and is_cid(found) else None


def _market(fields: dict[str, Any]) -> MarketAddress | None:
    found = fields.get("market")
    return MarketAddress(found) if is_address(found) else None


def _project(fields: dict[str, Any]) -> ProjectAddress | None:
    found = fields.get("project")
    return ProjectAddress(found) if is_address(found) else None


def _outcome(fields: dict[str, Any]) -> Literal["delisted", "ended", "already_terminal"]:
    match fields.get("outcome"), fields.get("delisted"):
        case ("delisted", _) | (None, True):
            return "delisted"
        case ("ended", _) | (None, False):
            return "ended"
        case "already_terminal", _:
            return "already_terminal"
        case None, _:
            raise Unreadable("neither outcome nor delisted says how the job was stopped")
        case _:
            raise Unreadable("the outcome is unknown")


def _cost(credit: dict[str, Any]) -> Decimal:
    amount = dollars(credit, "costUSD")
    if amount < 0:
        raise Unreadable("costUSD is negative")
    return amount


def _price(value: object) -> Decimal | None:
    """US dollars an hour, or None: live markets have it missing, null or as a text; nothing may be had for nothing."""
    number = maybe_number(value)
    return number if number is not None and number > 0 else None


def _moment(fields: dict[str, Any], name: str) -> float | None:
    if name in fields and fields[name] is None:
        return None
    seconds = a_whole_number(fields, name)
    if seconds > _LATEST:
        raise Unreadable(f"{name} is not in unix seconds")
    return float(seconds) if seconds else None


def _maybe_moment(value: object) -> float | None:
    """Unix seconds; None for what a record can do without."""
    return float(value) if type(value) is int and 0 < value <= _LATEST else None


def _result_cid(value: object) -> Cid | None:
    if not isinstance(value, str) or not is_cid(value) or value == NULL_CID:
        return None
    return value


def _status(fields: dict[str, Any]) -> str | None:
    """`jobStatus`; it is `jobResult.status`, and the result is an object or a text that holds one."""
    found = maybe_text(fields.get("jobStatus"))
    if found is None:
        result = _object_or_text(fields.get("jobResult"))
        if isinstance(result, dict):
            found = maybe_text(result.get("status"))
    return one_line(found, _STATUS_AT_MOST) if found else None


def _object_or_text(value: object) -> object:
    """The index keeps definitions and results as texts: both forms occur."""
    return _maybe_json(value) if isinstance(value, str) else value


def _maybe_json(text: str) -> object:
    try:
        return read_json(text.encode())
    except Unreadable:
        return None


def _texts(values: list[Any]) -> tuple[str, ...]:
    return tuple(_name(value) or "" for value in values[:_NAMES_AT_MOST] if isinstance(value, str))


def _name(value: object) -> str | None:
    found = maybe_text(value)
    return one_line(found, _NAME_AT_MOST) or None if found else None
