"""Whose jobs an account's are on the network: learnt from the network's own answers, kept in the store.

A list of the account's jobs is asked for by this address. It comes from the settings, or from the first answer of
the network that names it; other processes, and later ones, take it from the store.
"""

import structlog

from dispatcher.domain.ids import AccountName, ProjectAddress
from dispatcher.engine.parts import Parts
from dispatcher.ports.provider import Provider

_log = structlog.get_logger(__name__)


def learn_project(
    parts: Parts, provider: Provider, account: AccountName, project: ProjectAddress | None
) -> None:
    """Note what an answer about a job of this account says; what it says goes before all that was known."""
    known = provider.project
    if project is None or project == known:
        return
    if known is not None:
        # Lists by the wrong address show nothing, and nothing would be taken for: not posted.
        _log.error("project_is_another", account=account, known=known, shown=project)
    parts.store.note_project(account, project)
    provider.learn_project(project)


def knowing(parts: Parts, account: AccountName) -> Provider:
    """The account's provider, with its project if that is known anywhere. Raises `SettingsError`."""
    provider = parts.providers.account(account)
    if provider.project is None and (kept := parts.store.project(account)) is not None:
        provider.learn_project(kept)
    return provider
