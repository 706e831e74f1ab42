"""Events as server-sent events (WHATWG HTML, 9.2): those of a run are worded once for all who follow it."""

import json
import re
from functools import lru_cache
from typing import Any, Final

from agent.server.runs.files import Veil

_TYPE: Final = re.compile(r'"type":"([a-z_]{1,40})"')
_KEPT: Final = 64
"""Events: those who follow a run are told one by one, in turns."""


class Wording:
    """Words the events of runs, without what is for the server's operator alone.

    Args:
        veil: takes that out.
    """

    def __init__(self, veil: Veil) -> None:
        self._veil = veil
        self.event = lru_cache(_KEPT)(self._event)
        """One of a run's own: its JSON is one line, and names its type. None: a kill cut the line off."""

    def _event(self, number: int, text: str) -> bytes | None:
        told = self._veil.event(text)
        if told is None:
            return None
        found = _TYPE.search(told)
        name = found[1] if found else "message"
        return f"id: {number}\nevent: {name}\ndata: {told}\n\n".encode()


def message(name: str, facts: dict[str, Any]) -> bytes:
    """One of the server's: without a number, so that a client resumes after the last of the run's."""
    return f"event: {name}\ndata: {json.dumps(facts)}\n\n".encode()
