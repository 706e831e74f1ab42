"""What every handler works with: one object, made at the start and kept in the application's state."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from starlette.requests import Request

from agent.server.config import Served
from agent.server.hosts import is_fals
from agent.server.metrics import Metrics
from agent.server.places import Places
from agent.server.readiness import Readiness
from agent.server.streams import Streams
from agent.server.types import Caller, Scope, refused

if TYPE_CHECKING:
    from agent.server.desk import Desk
    from agent.server.signing import Signer
    from agent.server.uploads import Uploads


@dataclass(frozen=True)
class Context:
    """The server's parts, for its handlers."""

    served: Served
    desk: "Desk"
    needs_key: bool
    """Whether requests must carry a key."""
    metrics: Metrics
    readiness: Readiness

    @cached_property
    def uploads(self) -> "Uploads":
        """Files that clients sent ahead of their requests. Found again on the disk at first use."""
        from agent.server.uploads import Uploads  # noqa: PLC0415 - it knows this module

        return Uploads(Places(self.served.folder).uploads, self.served.server)

    @cached_property
    def streams(self) -> Streams:
        """Event streams that are open."""
        return Streams()

    @cached_property
    def signer(self) -> "Signer":
        """What signs webhooks. Its key is made at first use."""
        from agent.server.signing import Signer  # noqa: PLC0415 - it knows this module

        return Signer.of(Places(self.served.folder).own)


def context_of(request: Request) -> Context:
    """The server's parts."""
    context: Context = request.app.state.context
    return context


def caller_of(request: Request, scope: Scope) -> Caller:
    """Who asks, found out by `agent.server.access` before any handler ran.

    Raises:
        Refused: it may not do that.
    """
    caller: Caller | None = request.scope.get("retake.caller")
    if caller is None:
        if context_of(request).needs_key:
            raise refused(401, "unauthorized", "no key came with the request")
        caller = Caller()
    if scope not in caller.scopes:
        raise refused(403, "forbidden", f"this key may not do that: it lacks the scope {scope!r}")
    return caller


def base_url(request: Request, prefix: str = "") -> str:
    """Scheme, host and root that the client reached us by, without a final slash; `prefix` where the path has it.

    `server.public_url` goes before it, but not before a host of fal's. By a mapped host (queue.fal.run) there is no
    prefix: see `agent.server.hosts`.
    """
    public = context_of(request).served.server.public_url
    host = request.headers.get("host", "")
    if request.scope.get("retake.mapped") and (public is None or is_fals(host)):
        return f"{request.url.scheme}://{host}"
    root = public.rstrip("/") if public else str(request.base_url).rstrip("/")
    return root + prefix
