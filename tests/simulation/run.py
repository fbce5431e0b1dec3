"""One seed from beginning to end."""

from tests.simulation.checks import check
from tests.simulation.story import Story
from tests.simulation.world import Simulation


def simulate(seed: int, jobs: int) -> Story:
    """Run the seed and check what it left behind. The same seed and number of jobs give the same story."""
    simulation = Simulation(seed, jobs)
    story = simulation.run()
    if not story.wrong:
        story.wrong += check(simulation)
    return story
