"""A network that shows what comes out of a job while it runs, as Nosana's does not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dispatcher.ports.provider import Capabilities, Provider, RemoteJob
from tests.world import World


@dataclass(frozen=True, slots=True)
class Said:
    """What a job has put out so far: when last, in seconds since it started, and its results."""

    at: float | None = None
    results: dict[str, str] | None = None


class Talking(World):
    """A world in which every running job says what `says` tells, for so many seconds since a host took it."""

    def __init__(self, says: Callable[[float], Said], **fields: Any) -> None:
        self.says = says
        super().__init__(**fields)

    def undisciplined(self, name: str) -> Provider:
        provider, world = super().undisciplined(name), self

        class Talks:
            @property
            def capabilities(self) -> Capabilities:
                return replace(provider.capabilities, live_output=True)

            def get(self, address: Any) -> RemoteJob:
                seen = provider.get(address)
                if seen.started_at is None or seen.ended_at is not None:
                    return seen
                said = world.says(world.clock.at - seen.started_at)
                output_at = None if said.at is None else seen.started_at + said.at
                return replace(seen, output_at=output_at, results=said.results or {})

            def __getattr__(self, operation: str) -> Any:
                return getattr(provider, operation)

        return Talks()  # type: ignore[return-value]  # most of its methods come from the other one
