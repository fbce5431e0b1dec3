"""What a job is and what happens to it next: pure values and pure functions.

Belongs here: requests, jobs, policies, money, events, the transition table, the planner's rules, errors.
May not be here: input or output of any kind, a clock, randomness, settings, threads. Time is a parameter
(`now`, unix seconds); the same functions decide for a live job, forecast a job that does not exist yet and
explain one that waits.
"""
