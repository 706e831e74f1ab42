"""The three parts, scripted: each does nothing for as long as Cosmos3 would work, and then answers at full size."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.schedule.latencies import QUESTIONS, Latencies
from critic.types import Critique, Defect, Score
from generator.pool import Pool
from generator.types import Clip, Effective, Rendering, RenderSpec
from reasoner.types import Caption, CaptionRequest, Edit, Revision

ENDPOINT = "http://127.0.0.1:{}"
WORDS = "Do all people, animals and objects keep their looks, number and parts from the first frame to the last?"


@dataclass(frozen=True)
class Pace:
    """Latencies, and the part of them that is really waited for."""

    latencies: Latencies
    scale: float

    async def wait(self, milliseconds: int) -> None:
        """Let the scaled time pass."""
        await asyncio.sleep(milliseconds / 1000 * self.scale)


@dataclass(frozen=True)
class ScriptedReasoner:
    """Writes `caption` first, and then with one field changed for each rewrite."""

    pace: Pace
    caption: Caption
    id: str = "scripted/1"

    async def upsample(self, request: CaptionRequest) -> Caption:
        """The caption, after as long as writing 1,500 tokens takes."""
        del request
        await self.pace.wait(self.pace.latencies.upsample)
        return self.caption

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        """The champion's caption with another pace of the camera, after as long as writing 500 tokens takes."""
        del request
        await self.pace.wait(self.pace.latencies.rewrite)
        before = history[champion].caption
        words = {**json.loads(before.prompt), "pace": f"slowly, at pace {len(history)}"}
        edit = Edit(field="pace", before="", after=words["pace"], criterion="question 1", reason=WORDS)
        return before.model_copy(update={"prompt": json.dumps(words), "source": "rewrite", "edits": (edit,)})


@dataclass
class ScriptedGenerator:
    """Delivers `film` from serial endpoints behind the real pool."""

    pace: Pace
    film: Path
    endpoints: int
    first_seed: int
    id: str = "scripted/1"
    pool: Pool = field(init=False)

    def __post_init__(self) -> None:
        self.pool = Pool([ENDPOINT.format(8091 + n) for n in range(self.endpoints)], in_flight=1, healthy=_well)

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """A copy of the film with the seed and prompt behind it, so that no two clips are the same file."""
        async with self.pool.turn() as url:
            milliseconds = self.pace.latencies.render(seed - self.first_seed, self.pool.urls.index(url))
            await self.pace.wait(milliseconds)
        shutil.copyfile(self.film, to)
        with to.open("ab") as file:
            file.write(_ignored(f"{prompt}|{seed}".encode()))
        return Clip(
            path=to,
            seed=seed,
            spec=spec,
            effective=Effective(
                width=spec.width, height=spec.height, num_frames=spec.num_frames, fps=spec.fps, codec="h264"
            ),
            seconds=milliseconds / 1000,
            generator=self.id,
            rendering=Rendering(model="scripted", endpoint=url, render_seconds=milliseconds / 1000),
        )


@dataclass
class ScriptedCritic:
    """Scores every clip a little differently, and never well enough to stop."""

    pace: Pace
    concurrency: int
    id: str = "scripted/1"
    slots: asyncio.Semaphore = field(init=False)
    judged: int = 0

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.concurrency)

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """As many scores as a clip is asked questions, after as long as they take."""
        del clip, prompt, first_frame
        async with self.slots:
            await self.pace.wait(self.pace.latencies.judge)
        self.judged += 1
        values = [0.4 + 0.3 * ((7 * self.judged + 3 * n) % 11) / 11 for n in range(QUESTIONS)]
        return Critique.of(
            [
                Score(
                    criterion=f"question {n}",
                    axis="adherence",
                    value=value,
                    weight=1.0,
                    floor=0.0,
                    explanation=f"“{WORDS}”: P(yes) {value:.2f}; the other way round {1 - value:.2f}.",
                    measured=value,
                    unit="P(yes)",
                    method="logprobs",
                )
                for n, value in enumerate(values, 1)
            ],
            feedback="\n".join(f"question {n} ({value:.2f}): {WORDS}" for n, value in enumerate(values, 1)),
            rubric="scripted/1",
            judge=self.id,
            seconds=self.pace.latencies.judge / 1000,
            defects=[Defect(criterion="question 1", start=1.0, end=2.0, words=WORDS)],
        )


def _ignored(data: bytes) -> bytes:
    """Bytes as a box of an MP4 file that players skip."""
    return (8 + len(data)).to_bytes(4, "big") + b"free" + data


async def _well(url: str) -> bool:
    del url
    return True
