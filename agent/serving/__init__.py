"""A model server that Retake starts on this machine, waits for, and stops."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.serving.supervisor import Served, served

__all__ = ["Served", "served"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: a config is checked without loading an HTTP client."""
    if name in __all__:
        from agent.serving import supervisor  # noqa: PLC0415 - see above

        return getattr(supervisor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
