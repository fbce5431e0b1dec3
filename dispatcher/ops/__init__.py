"""What the processes need from the machine they run on: clock, log, bell, metrics, an embedded Redis server.

Belongs here: reading the clock (in `clock`, and nowhere else), configuring logs and keeping secrets out of them,
telling the log and the workers what happened and Prometheus how things stand, running a server of our own. May not
be here: a rule about jobs, a setting's name or default (parameters carry them), anything that talks to a compute
network.
"""
