"""The command line: `dispatcher COMMAND`.

Belongs here: options, output for people (tables) and for programs (`--json`), exit codes. May not be here: a rule
about jobs, a call to the network, SQL or Lua.

Exit codes: 0 done; 1 it could not be done; 2 the input is wrong; 3 `--wait`: the job ended, but not as completed.
"""

from dispatcher.cli.main import main

__all__ = ["main"]
