"""What will happen to a job, told by the rules that will decide about it, on a simulated clock.

Here belongs the walk that runs the planner ahead of time, and the ideal network that it walks on. Here does not
belong any rule about jobs: a forecast is the rules themselves, not a second description of them.
"""

from dispatcher.domain.forecast.told import Assumed, Forecast, Step
from dispatcher.domain.forecast.walk import forecast, forecast_job

__all__ = ["Assumed", "Forecast", "Step", "forecast", "forecast_job"]
