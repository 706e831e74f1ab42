"""fal's services by the host that a client asks for: with fal's own hosts led here, its clients need nothing else."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

SERVICES: Final = {
    "fal.run": "/fal/run",
    "queue.fal.run": "/fal/queue",
    "rest.fal.ai": "/fal/rest",
    "rest.alpha.fal.ai": "/fal/rest",  # its older name: receivers of webhooks look for the keys there
    "v3.fal.media": "/fal/cdn",
}
"""fal's hosts, and where their services are here."""
QUEUE: Final = "queue."
"""fal's Python client puts this before any host that it is given for runs (FAL_RUN_HOST), and keeps the host's path."""
_RUNS: Final = SERVICES["fal.run"]
EVERYWHERE: Final = "/media/"
"""Addresses of results: they stand under whichever name a client reached us by."""


class Hosts:
    """Leads a request to the service that its Host header names; the path alone decides for any other host.

    It changes where a request goes and nothing else: who may ask, and by which names, is found out behind it.

    Args:
        app: the whole application, its access control included.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        host = _host(scope) if scope["type"] == "http" else ""
        service = service_of(host)
        if service is not None:
            path, raw = scope["path"], scope.get("raw_path")
            gone = "" if is_fals(host) or not path.startswith(_RUNS + "/") else _RUNS
            prefix = "" if path.startswith(EVERYWHERE) else service
            scope = {
                **scope,
                "path": prefix + path.removeprefix(gone),
                "raw_path": None if raw is None else prefix.encode() + raw.removeprefix(gone.encode()),
                # clients ask fal's own hosts by TLS alone, whatever it ended at on its way here
                "scheme": "https" if is_fals(host) else scope["scheme"],
                "retake.mapped": True,
            }
        await self._app(scope, receive, send)


def service_of(host: str) -> str | None:
    """The path of a host's service; None: no host of fal's.

    Args:
        host: name in lower case, with or without a port.
    """
    name = _name(host)
    return SERVICES["queue.fal.run"] if name.startswith(QUEUE) else SERVICES.get(name)


def is_fals(host: str) -> bool:
    """Whether it is one of fal's own hosts, with or without a port."""
    return _name(host.lower()) in SERVICES


def _name(host: str) -> str:
    return host.partition(":")[0]


def _host(scope: Scope) -> str:
    """The one host that is asked for; "" where there is none or more than one."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
