"""fal's dialect: its queue, its synchronous calls and its proxy, as its Python and JavaScript clients speak them."""

from agent.server.fal.answers import outcome
from agent.server.fal.requests import router as polled
from agent.server.fal.routes import router

__all__ = ["outcome", "polled", "router"]
