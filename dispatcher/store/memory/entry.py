"""What is kept of one job."""

from dataclasses import dataclass, field, replace

from dispatcher.domain.crashes import Trouble
from dispatcher.domain.events import Event
from dispatcher.domain.job import Job
from dispatcher.domain.words import FollowUp
from dispatcher.ports.store import Command


@dataclass(slots=True)
class Health:
    """How the turns of one job went."""

    crashes: int = 0
    lapses: int = 0
    rests_until: float | None = None
    trouble: Trouble | None = None

    @property
    def is_dead(self) -> bool:
        return self.trouble is not None and self.trouble.dead

    def told(self) -> Trouble | None:
        return None if self.trouble is None else replace(self.trouble, retry_at=self.rests_until)

    def recover(self) -> None:
        """As many tries again as a new job has. What the trouble was is kept until a turn ends well."""
        self.crashes, self.lapses, self.rests_until = 0, 0, None
        if self.trouble is not None:
            self.trouble = replace(self.trouble, dead=False)


@dataclass(slots=True)
class Entry:
    """Everything about one job. `lease_until` None: nobody has it."""

    job: Job
    document: bytes
    log: list[Event]
    follow_up: FollowUp = FollowUp.DISPATCH
    commands: list[Command] = field(default_factory=list)
    token: int = 0
    lease_until: float | None = None
    woken: bool = False
    result: str | None = None
    health: Health = field(default_factory=Health)

    def is_leased(self, now: float) -> bool:
        return self.lease_until is not None and self.lease_until > now
