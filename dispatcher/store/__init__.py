"""Where jobs and credits are kept: the ports `JobStore` and `Ledger`, twice.

`memory`: in this process, for tests and forecasts. `redis`: on Redis or Valkey, for everything else. One suite of
tests tells both what they must do, and another drives them side by side.

Belongs here: storing, finding, fencing, ordering, adding up. May not be here: a rule about jobs (what is due, what
a command means, when to wait), a clock, a setting. Time is always the caller's `now`.
"""
