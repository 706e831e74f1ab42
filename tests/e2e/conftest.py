"""One Chromium a module, and one server for all attacks."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e import victim as victims
from tests.e2e.chromium import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="session")
def one_victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[victims.Victim]:
    with victims.victim(tmp_path_factory.mktemp("victim") / "runs") as server:
        yield server


@pytest.fixture
def victim(one_victim: victims.Victim) -> Iterator[victims.Victim]:
    """A server that after each attack still answers, with no work before that, and was led to no server here."""
    yield one_victim
    worked = one_victim.worked()
    assert one_victim.ask("GET", f"{victims.APP}/requests/{one_victim.job}/status").status_code == 200
    assert one_victim.worked() - worked < 2, "the attack kept it busy"
    assert one_victim.canary.heard == []
