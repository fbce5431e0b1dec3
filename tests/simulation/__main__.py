"""`python -m tests.simulation`: many seeds, and one again with its whole trace."""

import argparse
import multiprocessing
import sys
import time

from tests.simulation.run import simulate
from tests.simulation.story import Story, report


def main() -> int:
    """Exit code 1 if a seed fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--start", type=int, default=0, help="the first one (default 0)")
    parser.add_argument("--jobs", type=int, default=30, help="requests in each (default 30)")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--replay", type=int, metavar="SEED", help="only this one")
    parser.add_argument("--trace", action="store_true", help="print every step of --replay")
    given = parser.parse_args()
    if given.replay is not None:
        story = simulate(given.replay, given.jobs)
        if given.trace:
            sys.stdout.writelines(f"{line}\n" for line in story.trace)
        sys.stdout.write(report(story, given.jobs, steps=0 if given.trace else 40))
        return 1 if story.wrong else 0
    began, jobs, calls, requests, failed = time.monotonic(), 0, 0, 0, 0
    work = [(seed, given.jobs) for seed in range(given.start, given.start + given.seeds)]
    with multiprocessing.Pool(given.processes) as pool:
        for story in pool.imap_unordered(_one, work, chunksize=4):
            jobs, calls, requests = jobs + story.jobs, calls + story.calls, requests + story.requests
            if story.wrong:
                failed += 1
                sys.stdout.write(report(story, given.jobs))
                sys.stdout.flush()
    took = time.monotonic() - began
    sys.stdout.write(
        f"{given.seeds} seeds, {failed} failed; {jobs} jobs, {calls} port calls, {requests} requests to the "
        f"network in {took:.0f} s ({jobs / took:.0f} jobs a second)\n"
    )
    return 1 if failed else 0


def _one(work: tuple[int, int]) -> Story:
    story = simulate(*work)
    if not story.wrong:
        story.trace = []  # only what is printed goes from process to process
    return story


if __name__ == "__main__":
    sys.exit(main())
