"""Many captions from a model that knows nothing: the hardest test of a reader of replies."""

import asyncio
import os
import time
from collections import Counter
from typing import Literal

import pytest

from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.chat.types import Sampling
from reasoner.config import OpenAIConfig
from reasoner.openai import OpenAI
from reasoner.openai.writing import REPAIRED
from reasoner.types import CaptionRequest
from tests.real.conftest import Server

COUNT = int(os.environ.get("RETAKE_CAPTIONS", "80"))
"""200 take two minutes."""
MAX_TOKENS = 1200
"""A part of the captions is longer, so that repairs and fallbacks are among them."""


@pytest.mark.timeout(900)  # two slow cores that are shared with other work
async def test_many_captions(server: Server) -> None:
    counts: Counter[str] = Counter()
    began = time.monotonic()
    async with server.chat(concurrency=16, timeout_seconds=600) as chat:

        async def one(number: int) -> None:
            # every other one in the short form, which is less work
            form: Literal["full", "image2video"] = "image2video" if number % 2 else "full"
            config = OpenAIConfig(caption=form, sampling=Sampling(max_tokens=MAX_TOKENS, seed=10 * number))
            asked = CaptionRequest(
                prompt=f"Boat number {number} leaves the harbour", width=832, height=480, num_frames=61, fps=24
            )
            caption = await OpenAI(config, chat).upsample(asked)
            assert 1 <= caption.usage.calls <= 2
            if caption.source == "raw":
                assert caption.prompt == asked.prompt
                assert caption.notes
                counts["fallen back"] += 1
                return
            read = MotionCaption if form == "image2video" else StructuredCaption
            assert read.model_validate_json(caption.prompt) == caption.structured
            repaired = any(note.startswith(REPAIRED) for note in caption.notes)
            assert repaired == (caption.usage.calls == 2)
            counts["repaired" if repaired else "valid"] += 1

        async with asyncio.TaskGroup() as group:
            for number in range(COUNT):
                group.create_task(one(number))
    seconds = time.monotonic() - began
    print(f"{COUNT} captions in {seconds:.0f} s: " + ", ".join(f"{n} {what}" for what, n in counts.most_common()))
    assert counts.total() == COUNT
    assert counts["valid"] > COUNT / 4
