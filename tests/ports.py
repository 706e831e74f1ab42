"""Ports for servers of tests, which nobody else is given meanwhile."""

import itertools
import os
import random
import socket
from collections.abc import Iterator

FIRST, EACH, WORKERS = 12_000, 2_500, 8
"""A slice for each worker of pytest, all below 32768: from there on the kernel gives ports to whoever asks for any."""


def _mine() -> range:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    return range(FIRST + EACH * worker, FIRST + EACH * (worker + 1))


def _numbers() -> Iterator[int]:
    numbers = list(_mine())
    random.Random(os.getpid()).shuffle(numbers)  # another session may run beside this one
    return itertools.cycle(numbers)


_next = _numbers()


def free_port() -> int:
    """One that nobody listens on, and that no other call gets for long.

    A port that the kernel chooses is given away again as soon as it is free: between the choice and a server's start,
    and while a server is started anew, another worker's server could take it.
    """
    for port in itertools.islice(_next, EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("every port is taken")
