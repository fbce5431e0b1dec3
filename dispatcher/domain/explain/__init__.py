"""Why a job is where it is, what happens to it next and what that costs, in words.

Here belongs what is told about one job from its record, its log, and what is known beside it (`facts`). What will
happen is asked of the planner and of the forecast each time; nothing of it is kept, and no rule is written a second
time. Here does not belong: reading stores (`engine.explaining`), and how it is printed (`cli`).
"""

from dispatcher.domain.explain.facts import Facts, Holding, LinePlace, UpstreamFact
from dispatcher.domain.explain.view import explanation_view
from dispatcher.domain.explain.whole import Explanation, explain

__all__ = ["Explanation", "Facts", "Holding", "LinePlace", "UpstreamFact", "explain", "explanation_view"]
