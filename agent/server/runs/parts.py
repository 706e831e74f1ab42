"""What the operations of /v1/runs share: made at the first request, kept in the application's state."""

from dataclasses import dataclass, field

from starlette.requests import Request

from agent.server.context import context_of
from agent.server.runs.files import Veil
from agent.server.runs.progress import Standings
from agent.server.runs.texts import Texts
from agent.server.runs.wording import Wording


@dataclass(frozen=True)
class Parts:
    """Of one application."""

    veil: Veil
    wording: Wording
    standings: Standings = field(default_factory=Standings)
    texts: Texts = field(default_factory=Texts)


def parts_of(request: Request) -> Parts:
    """Those of the application that is asked."""
    parts: Parts | None = getattr(request.app.state, "runs", None)
    if parts is None:
        veil = Veil(context_of(request).served)
        parts = request.app.state.runs = Parts(veil, Wording(veil))
    return parts
