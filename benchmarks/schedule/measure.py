"""One run of the real loop on scripted parts: what it took, beside the least that it could have taken."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from agent import Run, RunConfig, journal
from agent.api import versions
from agent.controller import Controller
from agent.events import Emit, Event
from agent.journal import Journal
from agent.memory import Memory, RememberedCritic, RememberedGenerator, RememberedReasoner
from agent.report.reporter import REPORT_SECONDS, Reporter
from agent.request import exact, placed
from agent.speculation import Speculation
from agent.types import Request
from benchmarks.schedule.bound import shortest_run
from benchmarks.schedule.clock import SkippingLoop
from benchmarks.schedule.latencies import Latencies
from benchmarks.schedule.parts import ENDPOINT, Pace, ScriptedCritic, ScriptedGenerator, ScriptedReasoner
from critic.config import VLMConfig
from generator.capabilities import capabilities
from generator.encode import ClipWriter
from generator.types import RenderSpec
from reasoner.config import RulesConfig
from reasoner.rules import Rules
from reasoner.types import Caption

PROMPT = "A delivery robot crosses a warehouse. The camera pans right."
SEED = 100
CRITIC_PLACES = VLMConfig().concurrency


@dataclass(frozen=True, order=True)
class Setting:
    """What is asked of a run, and of how many endpoints."""

    endpoints: int
    candidates: int
    iterations: int

    @property
    def clips(self) -> int:
        """Rendered in all."""
        return self.candidates * self.iterations

    def __str__(self) -> str:
        """For the progress bar and folder names."""
        return f"{self.endpoints}-endpoints-{self.candidates}-candidates-{self.iterations}-iterations"

    def ideal(self, latencies: Latencies) -> float:
        """Seconds of the shortest schedule, by the exact scheduler."""
        chains = [(latencies.render(n), latencies.judge) for n in range(self.candidates)]
        captions = [latencies.upsample] + [latencies.rewrite] * (self.iterations - 1)
        return shortest_run(captions, [chains] * self.iterations, self.endpoints, CRITIC_PLACES) / 1000


@dataclass(frozen=True)
class Measured:
    """What came of one setting. Seconds."""

    setting: Setting
    scale: float
    ideal: float
    """The shortest schedule, at full latencies."""
    schedule: float
    """The loop's own schedule at full latencies, its work between two waits taking no time."""
    wall: float
    """The loop on the wall clock, at scaled latencies."""
    processor: float
    """Of this process meanwhile: hardly touched by what else runs on the machine."""
    load: float
    """Average of processes that ran or waited to, over the minute before."""

    @property
    def overhead(self) -> float:
        """What the wall took beyond the loop's own schedule: the work itself, in whole seconds of this machine."""
        return self.wall - self.scale * self.schedule

    @property
    def ratio(self) -> float:
        """At the unscaled overhead: a run at full latencies with that work on top, beside the shortest schedule."""
        return (self.schedule + self.overhead) / self.ideal

    @property
    def scaled_ratio(self) -> float:
        """The wall as it was measured, beside the scaled shortest schedule."""
        return self.wall / (self.scale * self.ideal)

    @property
    def schedule_ratio(self) -> float:
        """The loop's own schedule beside the shortest: 1 where it never waits for nothing."""
        return self.schedule / self.ideal


@dataclass(frozen=True)
class Bench:
    """What every run is made from."""

    request: Request
    given: dict[str, bytes]
    caption: Caption
    film: Path
    blank: Path
    """In its place where nobody looks at it."""

    def wall(self, setting: Setting, folder: Path, latencies: Latencies, scale: float) -> tuple[float, float]:
        """Wall and processor seconds of a run, from making its folder to the last event, at scaled latencies."""
        run, config = self._asked(setting, folder)
        begun, used = time.perf_counter(), time.process_time()
        journal.create(folder, config, run, self.given)
        with journal.only_writer(folder):
            diary = Journal(run, Reporter(REPORT_SECONDS * scale))
            asyncio.run(self._refined(run, diary, setting, Pace(latencies, scale), self.film))
        took, used = time.perf_counter() - begun, time.process_time() - used
        _complete(journal.load(folder), setting)
        return took, used

    def schedule(
        self,
        setting: Setting,
        folder: Path,
        latencies: Latencies,
        *,
        raw_first: bool = False,
        ahead: bool = False,
        emit: Emit | None = None,
    ) -> float:
        """Seconds of a run's schedule: full latencies on a clock that only sleeping moves, and no diary.

        Args:
            setting: what is asked of the run.
            folder: of the run; made.
            latencies: of its steps.
            raw_first: the first iteration is the raw prompt's.
            ahead: captions are begun ahead on endpoints that would idle.
            emit: hears the run's events.
        """
        run, config = self._asked(setting, folder)
        run = run.model_copy(update={"raw_first": raw_first})
        journal.create(folder, config, run, self.given)
        speculation = Speculation(setting.endpoints) if ahead else None
        with asyncio.Runner(loop_factory=SkippingLoop) as runner:
            pace = Pace(latencies, 1.0)
            run = runner.run(self._refined(run, emit or _nobody, setting, pace, self.blank, speculation))
            took = runner.get_loop().time()
        _complete(run, setting)
        return took

    async def _refined(
        self, run: Run, emit: Emit, setting: Setting, pace: Pace, film: Path, speculation: Speculation | None = None
    ) -> Run:
        """The loop as `agent.api` puts it together."""
        memory = Memory(run.folder, emit)
        controller = Controller(
            reasoner=RememberedReasoner(ScriptedReasoner(pace, self.caption), memory),
            generator=RememberedGenerator(ScriptedGenerator(pace, film, setting.endpoints, SEED), memory),
            critic=RememberedCritic(ScriptedCritic(pace, CRITIC_PLACES), memory),
            emit=emit,
            speculation=speculation,
        )
        return await controller.refine(run)

    def _asked(self, setting: Setting, folder: Path) -> tuple[Run, RunConfig]:
        config = configured(setting)
        run = Run(
            id=folder.name,
            folder=folder,
            created_at=journal.now(),
            request=placed(self.request, folder),
            budget=config.budget,
            accept_at=None,
            versions=versions(),
        )
        return run, config


def configured(setting: Setting) -> RunConfig:
    """The config of a run like this on real servers."""
    return RunConfig.model_validate(
        {
            "request": {"prompt": PROMPT, "seed": SEED, "image": "first_frame.png", "size": "832x480"},
            "generator": {
                "backend": "vllm_omni",
                "endpoints": [ENDPOINT.format(8091 + n) for n in range(setting.endpoints)],
            },
            "critic": {"backend": "vlm", "concurrency": CRITIC_PLACES},
            "budget": {"max_iterations": setting.iterations, "samples_per_iteration": setting.candidates},
        }
    )


def prepared(scratch: Path, frames: int | None = None) -> Bench:
    """The request, a caption by the embedded rules, and a film of 832x480 in H.264.

    Args:
        scratch: a folder for the film.
        frames: of the film. None: as many as are asked for, 189.
    """
    image = scratch / "image.png"
    Image.effect_mandelbrot((832, 480), (-2, -1, 1, 1), 80).convert("RGB").save(image)
    config = configured(Setting(1, 1, 1))
    wish = config.request.model_copy(update={"image": str(image)})
    request, given = asyncio.run(exact(wish, capabilities(config.generator)))
    caption = asyncio.run(Rules(RulesConfig()).upsample(request.caption_request()))
    film, blank = scratch / "film.mp4", scratch / "blank.mp4"
    blank.touch()
    _film(film, request.spec, frames or request.spec.num_frames)
    return Bench(request, given, caption, film, blank)


def _film(path: Path, spec: RenderSpec, frames: int) -> None:
    """A window that moves over a grainy picture: encoded, as large as such a clip of a model."""
    dice = np.random.default_rng(1)
    wide = Image.effect_mandelbrot((spec.width + frames * 2, spec.height), (-2, -1, 1, 1), 80)
    picture = np.asarray(wide.convert("RGB"))
    with ClipWriter(path, spec.width, spec.height, spec.fps) as writer:
        for n in range(frames):
            window = picture[:, 2 * n : 2 * n + spec.width].astype(np.int16)
            grain = dice.integers(-4, 5, window.shape, dtype=np.int16)
            writer.write((window + grain).clip(0, 255).astype(np.uint8))


def _complete(run: Run, setting: Setting) -> None:
    """A run that did less than it was asked says nothing about how quickly it did it."""
    judged = [len(iteration.candidates) for iteration in run.iterations]
    if judged != [setting.candidates] * setting.iterations:
        raise RuntimeError(f"{setting}: the loop judged {judged} clips: {run!r}")


def _nobody(event: Event) -> None:
    del event
