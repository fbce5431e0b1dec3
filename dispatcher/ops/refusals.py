"""What Celery logs of messages that it refuses, without the messages.

A worker quotes a message whose task it does not know, or that it cannot read: its body and headers, with whatever
secrets a producer's request has in it. A task's name that was misspelt is enough. What is wrong is kept, the rest is
left out.
"""

import logging
from typing import Final

LOGGER: Final = "celery.worker.consumer.consumer"

_QUOTES: Final = ("The full contents of the message", "body: ", " [type:")
_UNREADABLE: Final = "Can't decode message body"
_LONGEST: Final = 300


class WithoutMessages(logging.Filter):
    """For the logger above; changes the record, and lets every one pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        ends = [at for quote in _QUOTES if (at := text.find(quote)) >= 0]
        if ends:
            said = text[: min(ends)].strip().splitlines()
            # What could not be read may stand in the error's own representation.
            first = (
                _UNREADABLE if text.startswith(_UNREADABLE) else (said[0] if said else "Refused a message.")
            )
            record.msg = f"{first[:_LONGEST]} Its content is not shown, since it may hold secrets."
            record.args = ()
            record.exc_info = record.exc_text = None
        return True
