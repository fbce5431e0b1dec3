"""What the operator sets: environment variables that begin with DISPATCHER_, and the `.env` file.

Belongs here: the settings' names, defaults, forms and limits, and the sentences that say what is wrong with one.
May not be here: anything that acts on a setting (opens a connection, starts a server, reads the clock), or a
default that depends on what the network answers. Secrets are `SecretStr` and are never shown.
"""

from dispatcher.settings.accounts import Account
from dispatcher.settings.loading import load, policy_sets
from dispatcher.settings.model import Settings
from dispatcher.settings.urls import safe_url

__all__ = ["Account", "Settings", "load", "policy_sets", "safe_url"]
