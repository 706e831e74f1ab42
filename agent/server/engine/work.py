"""One job carried out: its media fetched, its safety checked, its run made or gone on with, its result told."""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent import api, journal
from agent.config import RunConfig
from agent.errors import (
    ConfigError,
    IntakeError,
    NoCandidateError,
    RetakeError,
    RunFolderError,
    ServingError,
    StorageError,
)
from agent.events import Event
from agent.files import write_atomically
from agent.intake import take_image
from agent.run import Run
from agent.server.config import Served
from agent.server.engine.messages import Over
from agent.server.engine.warm import Warm
from agent.server.fetching import Kind, fetch_inputs, problem_of
from agent.server.places import Places
from agent.server.results import result
from agent.server.safety import after, checked, checks, guardrails, refusal
from agent.server.scrub import Scrub
from agent.server.types import Job, Problem, Refused, Result, RunRequest, Safety, refused
from agent.server.wishes import bounded, settings, unfit

log = logging.getLogger(__name__)

LOCKED_SECONDS: Final = 20.0
"""For which the engine of a server that was killed may hold a run's lock: its last breath."""
_INPUT: Final = re.compile(r"'/[^'\n]*…[^'\n]*'|'\.server/[^'\n]*…[^'\n]*'|'?[^' ]*\.server/inputs/[^' ]*'?")
"""A path of ours, perhaps shortened: the client knows its file by no name."""
_LOG: Final = re.compile(r"\.? The end of its log, .*", re.DOTALL)
_BLOCKED: Final = re.compile(
    r"(?:safety checks|guardrails?)\b.{0,80}\b(?:refused|unsafe|blocked)", re.IGNORECASE | re.DOTALL
)
"""How backends tell a `generator.types.BlockedError`: a failure keeps no more than its words."""
LACKS: Final = {
    "sound": re.compile(r"checkpoint makes no sound|has no sound modules"),
    "image": re.compile(r"distilled checkpoint, which only goes on from an image"),
    "num_inference_steps": re.compile(r"is distilled to \d+ steps"),
    "guidance_scale": re.compile(r"is built into the distilled weights"),
}
"""How backends tell, by field, what the checkpoint behind them cannot do: nobody knows it before they are asked."""
CHECKED: Final = "safety.json"
"""Beside a job's media: what the safety checker found."""
CANCELLED: Final = Problem(status=499, type="client_cancelled", message="the request was cancelled")


@dataclass(frozen=True)
class Work:
    """Carries jobs out.

    Args:
        served: the config.
        tell: hears that a job's run has announced something.
        warm: keeps the servers that configs have started.
    """

    served: Served
    tell: Callable[[str], None]
    warm: Warm

    @property
    def places(self) -> Places:
        """Where things lie."""
        return Places(self.served.folder)

    @property
    def scrub(self) -> Scrub:
        """Keeps the operator's own back."""
        return Scrub(self.served.models.values(), [self.served.folder, Path.home()])

    async def carry(self, job: Job) -> Over:
        """A job, to its end. Raises nothing but what ends this process."""
        safety: Safety | None = None
        problem: Problem | None = None
        try:
            config = await self._settings(job)
            await self.warm.need(config)
            safety = await self._checked(job, config)
            if safety.effective == "refused":
                problem = refusal(safety)
            else:
                await self._run(job, config)
        except asyncio.CancelledError:
            problem = CANCELLED
        except Exception as error:  # noqa: BLE001 - whatever it is, the job is over and its client is told
            problem = self._problem(error, job.request)
        run = self._stored(job)
        made = None if run is None else self._scrubbed(run, safety)
        if problem is None and (made is None or made.video is None):
            problem = Problem(status=500, type="no_media_generated", message="the run ended without a video")
        state = "completed" if problem is None else "cancelled" if problem is CANCELLED else "failed"
        return Over(id=job.id, state=state, result=made, problem=problem, bytes=self.places.size(job.id))

    async def _settings(self, job: Job) -> RunConfig:
        """The config of its run, what it names by address fetched."""
        base, folder = self.served.models.get(job.request.model), self.places.inputs(job.id)
        if base is None:  # the server was started with another config since the job was taken
            why = f"this server has no model {job.request.model!r:.80} any more; ask for another"
            raise refused(500, "runner_server_error", why)
        inputs = {name: folder / file for name, file in job.inputs.items()}
        if not (self.places.run(job.id) / journal.RUN).exists():
            inputs |= await fetch_inputs(job.request, folder, base.request.image_fetch)
        asked = {"guardrails": guardrails(job.request, self.served.server.safety)}
        config = settings(base, job.request.model_copy(update=asked), inputs)
        return bounded(config, self.served.server.limits)

    async def _checked(self, job: Job, config: RunConfig) -> Safety:
        """What the safety checker found, once for a job."""
        rules, folder = self.served.server.safety, self.places.inputs(job.id)
        kept, image, video = folder / CHECKED, config.request.image, config.request.video
        if kept.exists():
            return Safety.model_validate_json(kept.read_bytes())
        data = None
        if checks(job.request, rules) and image is not None:
            data = await take_image(Path(image), rules=config.request.image_fetch)
        safety = await checked(job.request, config, rules, data, video)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, safety.model_dump_json())
        return safety

    async def _run(self, job: Job, config: RunConfig) -> None:
        folder = self.places.run(job.id)

        def hear(event: Event) -> None:
            del event
            self.tell(job.id)

        until = time.monotonic() + LOCKED_SECONDS
        while True:
            try:
                if (folder / journal.RUN).exists():
                    await api.resume_async(folder, hear)
                else:
                    await api.refine_and_generate_async(config=config, out=folder, on_event=hear)
            except RunFolderError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.5)
            else:
                return

    def _problem(self, error: Exception, request: RunRequest) -> Problem:
        """What went wrong, for the client; what that does not say is in the server's log."""
        match error:
            case Refused(problem=problem):
                return problem
            case ConfigError():
                return unfit(error).problem
            case IntakeError():
                kind: Kind = (
                    "video" if str(error).startswith(("video", "request.video", "request.controls")) else "image"
                )
                fault = problem_of(error, kind, kind)
                given = (request.image_url, request.video_url, *(control.url for control in request.controls))
                told = self.scrub(fault.message, [url for url in given if url])
                return fault.model_copy(update={"message": _INPUT.sub("the file", told)})
            case NoCandidateError():
                lacking = next((field for field, words in LACKS.items() if words.search(str(error))), None)
                if lacking is not None:
                    told = f"{lacking}: {self.scrub(str(error))}"
                    return Problem(status=422, type="feature_not_supported", message=told, loc=(lacking,))
                blocked = _BLOCKED.search(str(error)) is not None
                status, type_ = (422, "content_policy_violation") if blocked else (500, "no_media_generated")
            case ServingError():
                status, type_ = 503, "downstream_service_unavailable"
            case StorageError() | RunFolderError():
                status, type_ = 500, "internal_server_error"
            case _:
                log.error("a job failed in a way that nobody foresaw", exc_info=error)
                return Problem(status=500, type="internal_server_error", message="the server failed; see its log")
        if status >= 500:
            log.warning("a job failed: %s", error)
        # what a model server printed is the operator's own
        return Problem(status=status, type=type_, message=self.scrub(_LOG.sub("", str(error))))

    def _stored(self, job: Job) -> Run | None:
        folder = self.places.run(job.id)
        if not (folder / journal.RUN).exists():
            return None
        try:
            return journal.load(folder)
        except RetakeError:
            log.exception("%s cannot be read back", folder)
            return None

    def _scrubbed(self, run: Run, safety: Safety | None) -> Result:
        if safety is not None and run.best is not None:
            safety = after(safety, run.best.clip.rendering.guardrails)
        made, scrub = result(run, safety), self.scrub
        shots = tuple(shot.model_copy(update={"error": scrub(shot.error)}) for shot in made.shots)
        notes = tuple(_INPUT.sub("that was given", scrub(note)) for note in made.notes)
        return made.model_copy(update={"shots": shots, "notes": notes, "stop_sentence": scrub(made.stop_sentence)})
