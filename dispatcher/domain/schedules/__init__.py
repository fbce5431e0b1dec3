"""Schedules: jobs that come again and again. When, what is asked for, and what is done where one meets the next. Pure.

Belongs here: cadences (cron expressions, intervals), the form of a schedule and its validation, its state, the decision
for each occurrence. May not be here: a store, a clock, Celery. Time is a parameter (`now`, unix seconds); time zones
are read by `zoneinfo`, which is the same data for everybody.
"""

from dispatcher.domain.schedules.cadence import Cadence, Cron, Every, Occurrence, upcoming
from dispatcher.domain.schedules.decide import Facts, Step, looked, step
from dispatcher.domain.schedules.schedule import Schedule, parse_schedules
from dispatcher.domain.schedules.state import Kept, Occurred, Pending, ScheduleState, Source

__all__ = [
    "Cadence",
    "Cron",
    "Every",
    "Facts",
    "Kept",
    "Occurred",
    "Occurrence",
    "Pending",
    "Schedule",
    "ScheduleState",
    "Source",
    "Step",
    "looked",
    "parse_schedules",
    "step",
    "upcoming",
]
