"""Named credentials: as they are written, and with everything filled in."""

import re
from dataclasses import dataclass, field

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
)

from dispatcher.domain.ids import AccountName, ProjectAddress
from dispatcher.settings.forms import Address, Credential, GatewayUrl, PollRate, RequestRate, WebUrl

DEFAULT_ACCOUNT = AccountName("default")


ACCOUNT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|_(?!_))*")


class NamedAccount(BaseModel):
    """A further account as it is written: DISPATCHER_ACCOUNTS__<NAME>__<FIELD>. What is left out is the same
    as for the default account, but for the key and the project."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    api_key: Credential = Field(description="the account's API key")
    api_url: WebUrl | None = None
    ipfs_api_url: WebUrl | None = None
    ipfs_gateway_url: GatewayUrl | None = None
    ipfs_jwt: Credential | None = None
    idempotency_keys: bool | None = None
    project: Address | None = None
    requests_per_second: RequestRate | None = None
    polls_per_minute: PollRate | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account with everything filled in. `api_url` ends without, `ipfs_gateway_url` with a slash."""

    name: AccountName
    api_key: SecretStr = field(repr=False)
    api_url: str
    ipfs_api_url: str
    ipfs_gateway_url: str
    ipfs_jwt: SecretStr | None = field(repr=False)
    """None: definitions cannot be pinned."""
    idempotency_keys: bool
    """False: the network's API is older than keys and ignores them."""
    project: ProjectAddress | None
    """The account's own address on the network; None: it is learnt from the network's answers."""
    requests_per_second: float
    polls_per_minute: float
