"""A time limit that passes when a test says so, however quick or slow the machine is."""

import asyncio

import pytest


def limit(seconds: float, monkeypatch: pytest.MonkeyPatch) -> asyncio.Timeout:
    """What the next `asyncio.timeout(seconds)` returns: it passes with `reschedule(0)`, and never by itself."""
    timeout, ours = asyncio.timeout, asyncio.timeout(None)
    left = [ours]
    monkeypatch.setattr(asyncio, "timeout", lambda when: left.pop() if left and when == seconds else timeout(when))
    return ours
