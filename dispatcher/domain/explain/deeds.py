"""What the planner's rules and actions are, in words: their own docstrings, with the figures of one job."""

from dispatcher.domain import actions as act
from dispatcher.domain.costs import highest_rate
from dispatcher.domain.explain.times import span
from dispatcher.domain.job import Job
from dispatcher.domain.money import format_usd, price_at_most
from dispatcher.domain.words import Operation

_CALLS = {Operation.POST: "the post", Operation.EXTEND: "the extension", Operation.STOP: "the stop"}


def sentence(documented: object) -> str:
    """The first paragraph of what `documented` says of itself, to go on a sentence with."""
    text = " ".join((documented.__doc__ or "").partition("\n\n")[0].split()).rstrip(".")
    return text[:1].lower() + text[1:]


def in_words(job: Job, action: act.Action) -> str:
    """`ask for 30m more, at most $0.024`."""
    match action:
        case act.Begin(Operation.EXTEND, seconds):
            hourly = highest_rate(job)
            most = "" if hourly is None else f", at most ${format_usd(price_at_most(hourly, seconds))}"
            return f"ask for {span(seconds)} more{most}"
        case act.Begin(operation):
            return f"write {_CALLS[operation]} down, then send it"
        case act.Send() if job.call is not None:
            again = f" again, try {job.call.tries + 1}," if job.call.tries else ""
            return f"send {_CALLS[job.call.operation]}{again} under its key"
        case act.OrderStop(reason):
            return f"order the stop ({reason.value})"
        case act.Finish(state, reason):
            return f"end it as {state.value} ({reason.value})"
        case act.Collect(without_result):
            return (
                "settle it, and end it without a result"
                if without_result
                else "fetch the result, settle, and end"
            )
        case act.DropExtension(seconds, detail):
            return f"drop the extension by {span(seconds)} that was asked for: {detail}"
        case _:
            return sentence(type(action))
