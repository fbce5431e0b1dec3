"""One function for each rule: what it says about a job, and from when on. Their order stands in `planner`.

Here belongs what decides about one job from its record alone. Here does not belong: the clock, the network, what an
action does (`engine`), what an event makes of the record (`effects`).
"""
