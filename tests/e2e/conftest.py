"""One Chromium a module, and one server for all attacks."""

import time
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
    """A server that after each attack still answers, at once, and was led to no server of this machine."""
    yield one_victim
    began = time.monotonic()
    assert one_victim.ask("GET", f"{victims.APP}/requests/{one_victim.job}/status").status_code == 200
    assert time.monotonic() - began < 2
    assert one_victim.canary.heard == []
