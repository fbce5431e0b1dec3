"""The accounts that the settings name, each with its provider."""

from collections.abc import Mapping
from contextlib import suppress

from dispatcher.domain.errors import SettingsError
from dispatcher.domain.ids import AccountName
from dispatcher.domain.traffic import Looking
from dispatcher.ports.provider import Provider
from dispatcher.ports.traffic import Lane, LaneView
from dispatcher.providers.disciplined import Disciplined


class Accounts:
    """Providers by account name."""

    def __init__(self, providers: Mapping[AccountName, Provider]) -> None:
        self._providers = dict(providers)

    def account(
        self, name: AccountName, *, before: float | None = None, looking: Looking | None = None
    ) -> Provider:
        """As the port says; the error has the way out for a name that the settings do not know."""
        try:
            provider = self._providers[name]
        except KeyError:
            variable = (
                "DISPATCHER_NOSANA_API_KEY"
                if name == "default"
                else f"DISPATCHER_ACCOUNTS__{name.upper()}__API_KEY"
            )
            raise SettingsError(f"account {name!r} is not in the settings: set {variable}") from None
        if before is not None and isinstance(provider, Disciplined):
            provider = provider.by(before)
        if looking is not None and isinstance(provider, Disciplined):
            provider = provider.for_look(looking)
        return provider

    def disciplined(self) -> tuple[Disciplined, ...]:
        """The accounts whose calls may be held back."""
        return tuple(each for each in self._providers.values() if isinstance(each, Disciplined))

    def names(self) -> tuple[AccountName, ...]:
        return tuple(self._providers)

    def lanes(self, name: AccountName) -> tuple[tuple[Lane, LaneView], ...]:
        """As the port says."""
        provider = self._providers.get(name)
        return provider.lanes() if isinstance(provider, Disciplined) else ()

    def close(self) -> None:
        """Close the connections of all providers."""
        for provider in self._providers.values():
            close = getattr(provider, "close", None)
            if close is not None:
                with suppress(OSError):
                    close()
