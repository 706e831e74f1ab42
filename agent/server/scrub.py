"""Keeping what is the operator's own out of what clients are told: addresses of backends, folders of this machine."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.config import RunConfig

_ADDRESS = re.compile(r"https?://[^\s/'\"),;]+")
_OWN = re.compile(
    r"https?://(?:localhost|127\.[0-9.]+|0\.0\.0\.0|\[::1?\]|10\.[0-9.]+|192\.168\.[0-9.]+)(?::\d+)?(?![\w.])"
)


class Scrub:
    """Replaces them in any text.

    Args:
        configs: whose addresses are kept back.
        folders: whose paths are, the most inward first.
    """

    def __init__(self, configs: Iterable[RunConfig], folders: Iterable[Path]) -> None:
        found = {
            match[0]
            for config in configs
            for text in _texts(config.model_dump(mode="json"))
            if (match := _ADDRESS.match(text))
        }
        self._known = sorted(found, key=len, reverse=True)
        # a home of / would be found in every address
        self._folders = [str(folder) for folder in folders if len(folder.parts) > 1]

    def __call__(self, text: str, spare: Sequence[str] = ()) -> str:
        """The text without them.

        Args:
            text: what a client is told.
            spare: addresses that the client gave itself: their scheme, host and port stay as they are.
        """
        for origin in filter(None, map(_origin, spare)):
            found = re.search(re.escape(origin) + r"(?![\w.:-])", text)
            if found is not None:
                return self(text[: found.start()]) + origin + self(text[found.end() :], spare)
        for address in self._known:
            text = text.replace(address, "the backend")
        text = _OWN.sub("a private address", text)
        for folder in self._folders:
            text = text.replace(folder + "/", "").replace(folder, "the server's folder")
        return text


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
