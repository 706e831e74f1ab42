"""How many event streams a caller may have open."""

from collections.abc import AsyncGenerator

import pytest

from agent.server import streams
from agent.server.streams import Streams
from agent.server.types import Refused
from tests.storing import ME, YOU


async def endless() -> AsyncGenerator[str, None]:
    while True:
        yield "data: x\n\n"


async def test_one_caller_has_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST", 2)
    them = Streams()
    opened = [them.opened(ME, endless()) for _ in range(2)]
    for stream in opened:
        await anext(stream)
    with pytest.raises(Refused) as caught:
        them.opened(ME, endless())
    assert caught.value.problem.status == 429
    assert await anext(them.opened(YOU, endless()))
    await opened[0].aclose()  # type: ignore[attr-defined]
    assert await anext(them.opened(ME, endless()))
