"""What a run will cost, before its first render: published latencies, replaced by the endpoint's own history."""

from agent.forecasting.history import History, history, own
from agent.forecasting.making import forecast
from agent.forecasting.places import known, ratio
from agent.forecasting.planned import planned, wanted

__all__ = ["History", "forecast", "history", "known", "own", "planned", "ratio", "wanted"]
