"""What the death of an engine means for the jobs that it carried: which is to blame, and which goes on."""

from collections.abc import Callable
from typing import Final

from agent.server.engine.messages import Over
from agent.server.engine.work import CANCELLED
from agent.server.entries import Entries, Entry
from agent.server.types import Job, Problem

DEATHS: Final = 3
"""Engines that may die while they carry the same job, before it is given up as what kills them."""


class Mourning:
    """Begins jobs again whose engine died.

    Nobody knows which of them it died of. Those that several died with are carried one at a time from then on, until
    they are over: so one that kills its engine every time takes no other with it.

    Args:
        entries: the jobs in memory.
        begin: lets the engine carry a job.
        end: a job is over.
    """

    def __init__(self, entries: Entries, begin: Callable[[Job], None], end: Callable[[Entry, Over], None]) -> None:
        self._entries = entries
        self._begin = begin
        self._end = end

    def died(self) -> None:
        """Another engine is there."""
        for entry in self._entries.running():
            if entry.ending or (entry.held and not entry.job.cancelling):
                continue  # it is over, and on its way to the disk; or it was not carried
            entry.deaths += 1
            if entry.job.cancelling:
                self._end(entry, Over(id=entry.job.id, state="cancelled", problem=CANCELLED))
            elif entry.deaths >= DEATHS:
                why = f"the process that carried this request died {DEATHS} times; it is not tried again"
                problem = Problem(status=500, type="runner_server_error", message=why)
                self._end(entry, Over(id=entry.job.id, state="failed", problem=problem))
            elif entry.deaths == DEATHS - 1:
                entry.held = True
            else:
                self._begin(entry.job)
        self.next()

    def next(self) -> None:
        """Let the next suspect be carried, unless one is."""
        suspects = [e for e in self._entries.running() if e.deaths == DEATHS - 1 and not e.ending]
        if suspects and all(entry.held for entry in suspects):
            suspects[0].held = False
            self._begin(suspects[0].job)
