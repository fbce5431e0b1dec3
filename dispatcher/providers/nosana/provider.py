"""One account of the credits API as a `Provider`: which call goes where, with what in it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import httpx
from pydantic import SecretStr

from dispatcher.domain.cid import Cid, cid_of
from dispatcher.domain.errors import MalformedAnswer, NotFound, SettingsError
from dispatcher.domain.ids import AccountName, IdempotencyKey, MarketAddress, ProjectAddress, RemoteAddress
from dispatcher.domain.words import Phase
from dispatcher.ports.provider import (
    Balance,
    Capabilities,
    ExtendedJob,
    JobResult,
    ListedJob,
    Market,
    PostedJob,
    RemoteJob,
    RequiredResources,
    StoppedJob,
)
from dispatcher.providers.nosana import answers
from dispatcher.providers.nosana.addresses import is_address
from dispatcher.providers.nosana.credentials import Bearer, Scrubber, usable
from dispatcher.providers.nosana.flow import run_report
from dispatcher.providers.nosana.keeping import kept
from dispatcher.providers.nosana.reading import Unreadable, an_object, read_document, read_json
from dispatcher.providers.nosana.translation import Answer, malformed
from dispatcher.providers.nosana.wire import ANSWER_AT_MOST, TIMEOUTS, Timeouts, Wire

_T = TypeVar("_T")

RESULT_KEPT: Final = 1_048_576
"""Bytes of a result document that are handed on; longer logs lose their beginning."""

_STATES: Final = {
    Phase.QUEUED: "QUEUED",
    Phase.RUNNING: "RUNNING",
    Phase.DONE: "COMPLETED",
    Phase.HOST_QUIT: "STOPPED",
}
"""What the list of jobs is filtered by."""

_LISTED_AT_MOST: Final = 50


class NosanaProvider:
    """An account on Nosana, paid with prepaid credits. Threads may share it; each has its own connections.

    `api_url` and `ipfs_api_url` lose a trailing slash, `ipfs_gateway_url` gets one. `ipfs_jwt` pins definitions;
    without it only `pin` fails, with a `SettingsError` that names it, so that jobs can still be followed and
    stopped. It goes to the gateway too only if `jwt_to_gateway` says so: a public gateway has no use for it.
    `others` are further secrets that no answer may hand on: those of other accounts, since a server may know them.
    `result_at_most` bounds what is read of a result document, `result_kept` what is handed on, both in bytes.
    `transport` takes the network's place in tests; `monotonic` (real seconds) bounds the time that a whole answer may
    take.

    `idempotency_keys` False: this API is older than keys and ignores them; they are sent all the same. `project` is
    the account's own address on the network, without which its jobs cannot be listed; it may be learnt later.

    Raises `SettingsError` for an API key that is missing, a secret that cannot be sent, and a URL that is none.
    """

    def __init__(
        self,
        *,
        name: AccountName,
        api_key: SecretStr,
        api_url: str,
        ipfs_api_url: str,
        ipfs_gateway_url: str,
        ipfs_jwt: SecretStr | None,
        transport: httpx.BaseTransport | None = None,
        timeouts: Timeouts = TIMEOUTS,
        jwt_to_gateway: bool = False,
        result_at_most: int = ANSWER_AT_MOST,
        idempotency_keys: bool = True,
        project: ProjectAddress | None = None,
        result_kept: int = RESULT_KEPT,
        others: Sequence[SecretStr] = (),
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self._name = name
        key = usable(api_key, f"the API key of account {name!r}")
        jwt = usable(ipfs_jwt, "DISPATCHER_IPFS_JWT") if ipfs_jwt else None
        self._api_url = _base_url(api_url, f"the API's URL of account {name!r}")
        self._ipfs_api_url = _base_url(ipfs_api_url, "the URL of the IPFS pinning API")
        self._gateway_url = _base_url(ipfs_gateway_url, "the URL of the IPFS gateway") + "/"
        self._key = Bearer(key)
        self._jwt = Bearer(jwt) if jwt else None
        self._gateway_auth = self._jwt if jwt_to_gateway else None
        self._result_at_most = result_at_most
        self._idempotency_keys = idempotency_keys
        self._project = project
        self._result_kept = result_kept
        self._scrub = Scrubber(key, *([jwt] if jwt else []), *others)
        self._wire = Wire(timeouts=timeouts, transport=transport, scrub=self._scrub, monotonic=monotonic)

    def __repr__(self) -> str:
        return f"NosanaProvider(name={self._name!r}, api_url={self._api_url!r})"

    @property
    def name(self) -> str:
        """The account's name."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """Pins and extensions; keys as the settings say; the list of jobs once the project is known."""
        return Capabilities(
            idempotency_keys=self._idempotency_keys,
            pins=True,
            extends=True,
            finds=self._project is not None,
        )

    @property
    def project(self) -> ProjectAddress | None:
        """The account's own address on the network: `project` in the records of its jobs."""
        return self._project

    def learn_project(self, project: ProjectAddress) -> None:
        """Known from now on, in this process; threads may see it a moment later."""
        self._project = project

    def close(self) -> None:
        """Close the connections of all threads. A later call opens new ones."""
        self._wire.close()

    def balance(self) -> Balance:
        return self._get("balance", "/api/credits/balance", answers.balance)

    def markets(self) -> tuple[Market, ...]:
        return self._get("markets", "/api/markets/", answers.markets)

    def market(self, market: str) -> Market:
        """By address, or by slug, which the API only has in its list. Not remembered: callers do that."""
        if not is_address(market):
            found = next((each for each in self.markets() if each.slug == market), None)
            if found is None:
                raise NotFound("market", self._scrub.line(f"no market has the slug {market!r}"))
            return found

        def read(value: object) -> Market:
            found = answers.market(value)
            if found.address != market:
                raise Unreadable("it is another market")
            return found

        return self._get("market", f"/api/markets/{market}/", read)

    def required_resources(self, market: MarketAddress) -> RequiredResources:
        path = f"/api/markets/{_segment(market)}/required-resources"
        answer = self._wire.get("required_resources", self._api_url + path, auth=self._key)
        return self._read("required_resources", answer, answers.required_resources, decode=read_document)

    def pin(self, document: bytes) -> Cid:
        """Pin `document` as it is. What comes back must be the CID of these very bytes: the job is posted under it.

        Raises `SettingsError` without a JWT, before anything is sent; there is no default token.
        """
        if self._jwt is None:
            raise SettingsError("definitions cannot be pinned to IPFS: set DISPATCHER_IPFS_JWT")
        url = self._ipfs_api_url + "/pinning/pinJSONToIPFS"
        answer = self._wire.post("pin", url, auth=self._jwt, body=document)
        found, computed = self._read("pin", answer, answers.pinned), cid_of(document)
        if found != computed:
            raise MalformedAnswer(
                "pin", f"pinned as {found}, but the definition's CID is {computed}", status=answer.status
            )
        return found

    def post(
        self, *, cid: Cid, market: MarketAddress, seconds: int, node: str | None, key: IdempotencyKey
    ) -> PostedJob:
        fields: dict[str, Any] = {"ipfsHash": cid, "market": market, "timeout": seconds}
        if node is not None:
            fields["node"] = node
        return self._write("post", "/api/jobs/list", fields, key, answers.posted)

    def get(self, address: RemoteAddress) -> RemoteJob:
        return self._get("get", f"/api/jobs/{_segment(address)}", answers.remote_job)

    def list_jobs(
        self,
        *,
        phase: Phase | None = None,
        market: MarketAddress | None = None,
        limit: int = _LISTED_AT_MOST,
        offset: int = 0,
    ) -> tuple[ListedJob, ...]:
        """`GET /api/jobs/?poster=...` of the network's index: sorted by the time at which a host took the job.

        The index itself serves it at `/jobs/` (Nosana indexer); that the credits API has it under `/api`, as it has
        the other reads, is inferred. 20 pages in 30 s, 500 an hour, 3000 a day are allowed for one IP address.
        """
        if self._project is None:
            raise SettingsError(
                f"the jobs of account {self._name!r} cannot be listed, since its own address on the network is not "
                "known: set DISPATCHER_NOSANA_PROJECT (or DISPATCHER_ACCOUNTS__<NAME>__PROJECT)"
            )
        if not 1 <= limit <= _LISTED_AT_MOST or offset < 0:
            raise ValueError(f"a page has 1 to {_LISTED_AT_MOST} jobs, and begins at 0 or later")
        if phase is Phase.GONE:
            raise ValueError("jobs that are gone are in no list")
        query: dict[str, str | int] = {"poster": self._project}
        if market is not None:
            query["market"] = market
        if phase is not None:
            query["state"] = _STATES[phase]
        query |= {"limit": limit, "offset": offset}
        return self._get("list_jobs", f"/api/jobs/?{urlencode(query)}", answers.listed_jobs)

    def extend(self, address: RemoteAddress, *, seconds: int, key: IdempotencyKey) -> ExtendedJob:
        path = f"/api/jobs/{_segment(address)}/extend"
        return self._write("extend", path, {"seconds": seconds}, key, answers.extended)

    def stop(self, address: RemoteAddress, *, key: IdempotencyKey) -> StoppedJob:
        return self._write("stop", f"/api/jobs/{_segment(address)}/stop", None, key, answers.stopped)

    def result(self, cid: Cid) -> JobResult:
        """Fetched from the gateway, whatever content type that gives it."""
        answer = self._wire.get(
            "result",
            self._gateway_url + _segment(cid),
            auth=self._gateway_auth,
            at_most=self._result_at_most,
        )

        def read(value: object) -> JobResult:
            report = run_report(value)
            detail = self._scrub.line(report.detail)
            return JobResult(
                replace(report, detail=detail), kept(an_object(value, "the result"), self._result_kept)
            )

        return self._read("result", answer, read, decode=read_document)

    def _get(self, operation: str, path: str, read: Callable[[object], _T]) -> _T:
        return self._read(operation, self._wire.get(operation, self._api_url + path, auth=self._key), read)

    def _write(
        self,
        operation: str,
        path: str,
        fields: dict[str, Any] | None,
        key: IdempotencyKey,
        read: Callable[[object], _T],
    ) -> _T:
        answer = self._wire.post(
            operation,
            self._api_url + path,
            auth=self._key,
            body=None if fields is None else _compact(fields),
            headers={"Idempotency-Key": key},
        )
        return self._read(operation, answer, read)

    def _read(
        self,
        operation: str,
        answer: Answer,
        read: Callable[[object], _T],
        *,
        decode: Callable[[bytes], Any] = read_json,
    ) -> _T:
        try:
            return read(decode(self._scrub.body(answer.body)))
        except Unreadable as e:
            raise malformed(operation, answer, e, self._scrub) from e


def _compact(fields: dict[str, Any]) -> bytes:
    """As JavaScript's `JSON.stringify` writes it: in the order given, without blanks, nothing escaped."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def _segment(text: str) -> str:
    return quote(text, safe="")


def _base_url(url: str, what: str) -> str:
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as e:
        raise SettingsError(f"{what} is no URL: {e}") from e
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SettingsError(f"{what} must start with http:// or https:// and a host")
    if parsed.userinfo or parsed.query or parsed.fragment:
        # The message leaves the URL out: a user and a password may be in it.
        raise SettingsError(f"{what} may not have a user, a query or a fragment in it")
    return url.strip().rstrip("/")
