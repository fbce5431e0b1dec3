"""What came of a seed, and how it is told."""

from dataclasses import dataclass, field

from tests.world import START


@dataclass(slots=True)
class Line:
    """One step of the trace."""

    at: float
    who: str
    what: str
    about: str

    def __str__(self) -> str:
        return f"{self.at - START:11.2f}  {self.who:<22} {self.what:<44} {self.about}"


@dataclass
class Story:
    """`calls` are port calls, `requests` those that reached the network; `wrong` is empty if all is well."""

    seed: int
    jobs: int = 0
    calls: int = 0
    requests: int = 0
    trace: list[Line] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    """Of the events that were saved."""


def report(story: Story, jobs: int, *, steps: int = 40) -> str:
    """Text for people: what is wrong, the last steps, and how to see it again."""
    if not story.wrong:
        return f"seed {story.seed}: {story.jobs} jobs, {story.calls} port calls, nothing wrong\n"
    lines = [f"seed {story.seed} failed:", *(f"  {fault}" for fault in story.wrong[:10])]
    if steps:
        lines += [f"the last {steps} steps (seconds, who, what, about):"]
        lines += [f"  {line}" for line in _about(story)[-steps:]]
    lines += [f"again: python -m tests.simulation --replay {story.seed} --jobs {jobs} --trace", ""]
    return "\n".join(lines)


def _about(story: Story) -> list[Line]:
    """The steps that tell of the jobs that went wrong, if any are named; else all."""
    named = {fault.split()[0].rstrip(":") for fault in story.wrong if fault.startswith("job_")}
    first = min(named, default="")
    return [line for line in story.trace if first in line.about] if first else story.trace
