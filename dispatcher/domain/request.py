"""What a producer asks for, validated whole: every fault at once, nothing guessed, unknown fields refused."""

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from dispatcher.domain.chain import After, CalledBack, Take
from dispatcher.domain.definition import canonical_json, secret_faults, validate_definition
from dispatcher.domain.duration import Duration
from dispatcher.domain.errors import Bug, InvalidRequest
from dispatcher.domain.faults import Fault, among, faults_of
from dispatcher.domain.ids import AccountName
from dispatcher.domain.names import Account, Market, Name
from dispatcher.domain.policies import LONGEST_TIMEOUT, SHORTEST_TIMEOUT, Place, Policies
from dispatcher.domain.policies.written import PolicySets, as_part, merged, unknown_set, whole
from dispatcher.domain.ties import tie_faults

DEFINITION_AT_MOST = 262_144
"""Bytes of compact JSON: one block of IPFS."""


def _timeout(value: Any) -> Any:
    seconds = value.total_seconds()
    if not SHORTEST_TIMEOUT <= seconds <= LONGEST_TIMEOUT:
        raise ValueError("must be between 1m and 100h: the network takes nothing else")
    return value


class JobSpec(BaseModel):
    """A request without its definition: what the job's record keeps. See `JobRequest` for the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    market: Market
    timeout: Annotated[Duration, AfterValidator(_timeout)]
    policies: Policies = Policies()
    policy: Name | None = None
    after: Annotated[tuple[After, ...], Field(max_length=50)] = ()
    take: Annotated[dict[Annotated[str, Field(max_length=1000)], Take], Field(max_length=50)] = {}
    callback: CalledBack | None = None
    request_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    account: Account = AccountName("default")
    node: Annotated[str, Field(pattern=r"^[1-9A-HJ-NP-Za-km-z]{32,44}$")] | None = None
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    labels: Annotated[
        dict[Name, Annotated[str, Field(max_length=200)]],
        Field(max_length=20),
    ] = {}

    def places(self) -> tuple[Place, ...]:
        """Where attempts may run, in order: the request's own market first, then the retry policy's."""
        own = Place(market=self.market, account=self.account)
        retry = self.policies.retry
        return (own,) if retry is None else (own, *retry.elsewhere)


class JobRequest(JobSpec):
    """What a producer enqueues.

    definition: the JSON that the network runs; validated with the verdicts of the network's own validator.
    market: address or slug of the pool of machines.
    timeout: the time that is posted and paid for at first, `30m`; extensions come on top.
    policies: what decides about polling, extending, stopping, further attempts and waiting for credit.
    policy: the name of a set of policies in the dispatcher's settings; what `policies` says goes before it, field by
        field, and null takes away what the set says. The set is looked up where the request is stored (`with_set`).
    after: jobs that have to be over before this one is posted, and whether they have to have completed (`on`).
    take: places of the definition that are filled in from the ends of those jobs, each as a fault would name it
        (`definition.ops[0].args.env.INPUT`).
    callback: a Celery task that is sent when the job is over.
    request_id: idempotency key; the same id with the same request gives the job that is already there.
    account: the named credential in the dispatcher's settings.
    node: address of the one host that may run it.
    priority: -100 to 100; higher goes first where jobs wait for credit.
    labels: for finding and grouping jobs.
    allow_secrets: places of the definition that may hold what looks like a secret, each as a fault names it
        (`definition.ops[0].args.env.HF_TOKEN`): definitions are pinned where everybody can read them.

    Raises `InvalidRequest`, which lists every fault with its path.
    """

    definition: dict[str, Any]
    allow_secrets: Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], Field(max_length=100)] = ()

    _own: dict[str, Any] | None = PrivateAttr(default=None)
    """With a set: what `policies` said, as a part that is laid upon the set."""
    _is_whole: bool = PrivateAttr(default=True)
    """Whether the set, if there is one, is taken in."""

    def __init__(self, /, **fields: Any) -> None:
        own: dict[str, Any] | None = None
        own_faults: tuple[Fault, ...] = ()
        given = fields
        if fields.get("policy") is not None:
            given = {name: value for name, value in fields.items() if name != "policies"}
            try:
                own = as_part(fields.get("policies", {}))
            except InvalidRequest as e:
                own_faults = e.faults
        try:
            super().__init__(**given)
        except ValidationError as e:
            # The cause is left behind on purpose: pydantic's errors carry the input, which may hold secrets.
            raise InvalidRequest([*_faults_of(e, fields), *own_faults]) from None
        self._own, self._is_whole = own, own is None
        faults = [*_definition_faults(self.definition, self.allow_secrets), *own_faults]
        faults.extend(tie_faults(self.after, self.take, self.callback, self.definition))
        if faults:
            raise InvalidRequest(faults)

    @classmethod
    def parse(cls, fields: object) -> Self:
        """A request from decoded JSON (or YAML). Raises `InvalidRequest`."""
        if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
            raise InvalidRequest(
                [Fault("request", "must be an object with a definition, a market and a timeout")]
            )
        return cls(**fields)

    def with_set(self, sets: PolicySets) -> Self:
        """The request with the policies of the set that it names, and its own laid upon them.

        Raises `InvalidRequest` if there is no such set, or if what comes of both is not whole.
        """
        if self.policy is None or self._own is None:
            return self
        if self.policy not in sets:
            raise InvalidRequest([unknown_set(self.policy, sets)])
        found = self.model_copy(update={"policies": whole(merged(sets[self.policy], self._own))})
        found._is_whole = True
        return found

    @model_serializer(mode="wrap")
    def _as_asked(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """With a set: its own policies alone, so that what is written can be read as a request again."""
        fields: dict[str, Any] = write(self)
        if self._own is not None:
            fields["policies"] = self._own
        return fields

    def spec(self) -> JobSpec:
        """The request without its definition. Raises `Bug` before the set that it names is taken in (`with_set`)."""
        if not self._is_whole:
            raise Bug(f"the set of policies {self.policy!r} was not looked up")
        return self._fields()

    def _fields(self) -> JobSpec:
        return JobSpec.model_construct(**{name: getattr(self, name) for name in JobSpec.model_fields})

    def document(self) -> bytes:
        """The definition as it will be pinned: the bytes of JavaScript's `JSON.stringify`."""
        return canonical_json(self.definition)

    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything that was asked for; equal for equal requests, whatever the order of keys.

        A set of policies is asked for by its name: what stands in it may change.
        """
        # Without what is left at its default: a field that is new in a later version changes no older request.
        asked = self._fields().model_dump(mode="json", exclude_defaults=True)
        if self._own is not None:
            asked["policies"] = self._own
        if self.allow_secrets:
            asked["allow_secrets"] = sorted(set(self.allow_secrets))
        text = json.dumps([asked, self.definition], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def parse_many(requests: Sequence[object]) -> list[JobRequest]:
    """Requests from decoded JSON (or made already), all or none.

    Raises `InvalidRequest` with the faults of every one; of several, the paths begin with `requests[i]`.
    """
    parsed: list[JobRequest] = []
    faults: list[Fault] = []
    for index, fields in enumerate(requests):
        try:
            parsed.append(fields if isinstance(fields, JobRequest) else JobRequest.parse(fields))
        except InvalidRequest as e:
            faults.extend(among(e.faults, index, len(requests)))
    if faults:
        raise InvalidRequest(faults)
    return parsed


def with_sets(requests: Sequence[JobRequest], sets: PolicySets) -> list[JobRequest]:
    """The requests with the sets of policies that they name taken in. Raises as `parse_many` does."""
    found: list[JobRequest] = []
    faults: list[Fault] = []
    for index, request in enumerate(requests):
        try:
            found.append(request.with_set(sets))
        except InvalidRequest as e:
            faults.extend(among(e.faults, index, len(requests)))
    if faults:
        raise InvalidRequest(faults)
    return found


def _definition_faults(definition: object, allowed: Container[str]) -> list[Fault]:
    faults = [
        Fault("definition" + fault.path.removeprefix("$input"), fault.message)
        for fault in validate_definition(definition)
    ]
    if not faults and len(canonical_json(definition)) > DEFINITION_AT_MOST:
        faults.append(Fault("definition", f"is larger than {DEFINITION_AT_MOST} bytes: keep data out of it"))
    return [*faults, *secret_faults(definition, allowed)]


def _faults_of(error: ValidationError, fields: Mapping[str, Any]) -> list[Fault]:
    faults = faults_of(error, "request", "a request; see the README for those that are")
    definition, allowed = fields.get("definition"), fields.get("allow_secrets")
    if isinstance(definition, dict):
        faults.extend(_definition_faults(definition, allowed if isinstance(allowed, list | tuple) else ()))
    return faults
