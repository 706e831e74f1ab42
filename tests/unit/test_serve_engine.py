"""The engine and what it is told."""

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path

from agent.server.engine.__main__ import Engine
from agent.server.engine.messages import UP, Begin, Cancel, Over, Told
from agent.server.loading import load
from agent.server.types import Job, RunRequest


def heard(out: io.BytesIO) -> list[Told | Over]:
    return [UP.validate_json(line) for line in out.getvalue().splitlines()]


async def test_a_job_that_is_cancelled_in_the_same_breath_is_over_all_the_same(tmp_path: Path) -> None:
    out = io.BytesIO()
    engine = Engine(load(None, [f"output.dir={tmp_path}"]), out)
    request = RunRequest(model="cosmos-3-super", prompt="a boat")
    now = datetime.now(UTC)
    job = Job(id="j", owner="me", dialect="runs", endpoint="x", request=request, created_at=now, media_key="k")
    for message in (Begin(job=job), Cancel(id="j")):
        engine.heed(message.model_dump_json().encode())
    async with asyncio.timeout(20):
        while not (over := [said for said in heard(out) if isinstance(said, Over)]):
            await asyncio.sleep(0.01)
    assert [(said.id, said.state) for said in over] == [("j", "cancelled")]
