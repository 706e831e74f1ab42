"""The text of a run in lists: made once where the run is over, for each address, and never another run's."""

from typing import Any

import pytest

from agent.server.runs import texts
from agent.server.runs.texts import Texts
from agent.server.types import Job
from tests.storing import job


class Asking:
    """Counts the views that are made."""

    def __init__(self) -> None:
        self.texts, self.made = Texts(), 0

    def of(self, one: Job, base: str = "http://a") -> str:
        def view() -> dict[str, Any]:
            self.made += 1
            return {"id": one.id, "at": base, "key": one.media_key}

        return self.texts.of(one, base, view)


def test_of_a_run_that_lives_it_is_made_each_time() -> None:
    asking = Asking()
    for _ in range(2):
        asking.of(job(state="running"))
    assert asking.made == 2
    asking.of(job())
    assert asking.of(job()) == '{"id": "j1", "at": "http://a", "key": "key-of-j1"}'
    assert asking.made == 3


def test_another_address_or_run_has_a_text_of_its_own() -> None:
    asking = Asking()
    told = {asking.of(job(), "http://a"), asking.of(job(), "http://b"), asking.of(job(media_key="of another j1"))}
    assert len(told) == asking.made == 3


def test_few_and_short_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "KEPT", 2)
    asking = Asking()
    for id_ in ("j1", "j2", "j1", "j3", "j1", "j2"):
        asking.of(job(id_))
    assert asking.made == 4, "the one that was asked for the longest ago is made again"
    monkeypatch.setattr(texts, "LONGEST", 10)
    for _ in range(2):
        asking.of(job("j9"))
    assert asking.made == 6
