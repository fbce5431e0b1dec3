"""What makes jobs move: take requests in, advance one job at a time, sweep the agenda, watch for credit.

Belongs here: the order of steps between store, ledger and network (claim, plan, perform, apply, save), against
the ports alone. May not be here: a rule about jobs (those are the domain's), a library's types, a clock of its
own, Celery.

One job's turn: `advance` claims it, takes in what operators asked, asks the planner, performs the one action
that it names, applies what came of it, and goes round until the planner says to wait; then it saves, sets the
agenda and lets go. Whatever changes the world is written down first: every unsaved event is saved before a call
goes out, and a call is an event (`CallIntended`, with its key) before it is sent.
"""
