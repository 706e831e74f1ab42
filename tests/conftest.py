"""What every test runs under: no socket but loopback, no secret and no setting of the machine."""

import os
import sys

import pytest
from pytest_socket import enable_socket, socket_allow_hosts

# where bytecode is not kept, each of the hundred processes that tests start would compile the package anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(autouse=True)
def _loopback_only() -> None:
    enable_socket()
    socket_allow_hosts(["127.0.0.1", "127.0.0.2", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
