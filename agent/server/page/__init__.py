"""The page at `/`: a form to submit a run, the queue, and one run with its candidates side by side."""

from agent.server.page.routes import router

__all__ = ["router"]
