"""Views of runs as JSON for lists, which are asked for every few seconds: of a run that is over it is made once."""

import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from agent.server.types import Job

KEPT: Final = 128
"""Runs whose text is remembered, where it has …"""
LONGEST: Final = 2**16
"""… no more characters than that."""


class Texts:
    """The text of each run."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    def of(self, job: Job, base: str, view: Callable[[], dict[str, Any]]) -> str:
        """The run's JSON.

        Args:
            job: as the desk has it.
            base: scheme, host and root of the addresses in it.
            view: makes its view.
        """
        if job.live:
            return json.dumps(view())
        which = job.media_key, base  # an id may be given again once its run is removed
        text = self._known.get(which)
        if text is None:
            text = json.dumps(view())
            if len(text) > LONGEST:
                return text
            self._known[which] = text
        self._known.move_to_end(which)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return text
