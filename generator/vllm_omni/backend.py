"""`VLLMOmni`: the generator behind the Protocol."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import httpx

from generator.capabilities import family
from generator.config import DiffusersConfig, VLLMOmniConfig
from generator.delivery import deliver, taken_back, written_aside
from generator.pool import Pool
from generator.probe import probe, verify
from generator.types import BackendError, Clip, Effective, Progress, Rendering, RenderSpec, Tell
from generator.vllm_omni import slip
from generator.vllm_omni.cleaning import bounded
from generator.vllm_omni.course import Course, Shared
from generator.vllm_omni.failures import SilentError
from generator.vllm_omni.limits import Limits
from generator.vllm_omni.request import Request, build, check
from generator.vllm_omni.telling import Telling
from generator.vllm_omni.wire import Wire
from generator.watchdog import Watchdog

VLLM_OMNI_VERSION = 1
"""Goes up with every change of what is sent that changes pixels: finished renders are remembered under it."""
HEADER_BYTES = 16 * 2**20
"""A clip may be this much larger than its unpacked frames."""

log = logging.getLogger("generator.vllm_omni")


def _nobody(_progress: Progress) -> None:
    pass


class VLLMOmni:
    """Cosmos3 on one or more vLLM-Omni servers, through their asynchronous jobs. `connect` comes first.

    Args:
        config: how renders are asked for.
        client: one that never repeats a POST.
        urls: the servers' roots.
        key: sent to each as a bearer token; None: none.
        tell: hears of every render.
        guardrails: whether the servers have their safety checks on, where that is known.
        limits: time limits of the calls.
    """

    def __init__(
        self,
        config: VLLMOmniConfig,
        client: httpx.AsyncClient,
        urls: Sequence[str],
        key: str | None = None,
        tell: Tell = _nobody,
        *,
        guardrails: Literal["on", "off", "unknown"] = "unknown",
        limits: Limits | None = None,
    ) -> None:
        self._config, self._tell, self._guardrails = config, tell, guardrails
        self._limits = limits or Limits()
        self._wire = Wire(client, key, self._limits)
        self._model = config.model
        self._versions: dict[str, str] = {}
        pool = Pool(
            urls,
            config.in_flight,
            self._healthy,
            patience=self._limits.patience,
            first_probe=self._limits.first_probe,
        )
        watchdog = Watchdog(config.stall_seconds)
        self._shared = Shared(self._wire, pool, watchdog, self._limits, config.resubmit)
        self._distilled = config.serve is not None and family(DiffusersConfig(model=config.serve.model)) == (
            "cosmos3_distilled"
        )

    @property
    def id(self) -> str:
        """Backend and version, the model, and a hash of whatever else in the config decides pixels."""
        if self._model is None:
            raise RuntimeError("id before connect(): the model is not known yet")
        deciding = self._config.model_dump_json(include={"lora", "extra_params", "rife"}, exclude_defaults=True)
        more = "" if deciding == "{}" else f" settings={hashlib.sha256(deciding.encode()).hexdigest()[:8]}"
        return f"vllm_omni/{VLLM_OMNI_VERSION} {self._model}{more}"

    @property
    def servers(self) -> dict[str, tuple[str, str]]:
        """(model, version) by address, of those that answered; version "" where a server does not say."""
        return {url: (self._model or "", version) for url, version in self._versions.items()}

    async def connect(self) -> None:
        """Ask every server for its health, version and model. Those that are not there are set aside and asked again.

        Raises:
            BackendError: none is there, or none serves the model; names each and the cure.
        """
        urls = self._shared.pool.urls
        answers = await asyncio.gather(*(self._introduced(url) for url in urls))
        served = {url: names for url, names in zip(urls, answers, strict=True) if isinstance(names, list)}
        silent = {url: why for url, why in zip(urls, answers, strict=True) if isinstance(why, str)}
        if not served:
            each = "; ".join(f"{url}: {why}" for url, why in silent.items())
            raise BackendError(
                f"No rendering server answers ({each}). Start it with vllm serve … --omni, or correct "
                "generator.endpoints."
            )
        told = "; ".join(f"{url} serves {', '.join(names) or 'nothing'}" for url, names in served.items())
        if self._model is None:
            found = {names[0] for names in served.values() if names}
            if len(found) != 1:
                raise BackendError(f"The rendering servers do not serve one model ({told}). Set generator.model.")
            self._model = found.pop()
        elif not any(self._model in names for names in served.values()):
            raise BackendError(f"No rendering server serves {self._model!r} ({told}). Correct generator.model.")
        wrong = {url: f"it serves {', '.join(names)}" for url, names in served.items() if self._model not in names}
        for url, why in (silent | wrong).items():
            log.warning("%s is not used for now: %s", url, why)
            self._shared.pool.set_aside(url, why)

    async def close(self) -> None:
        """Delete the jobs that stalled: nobody will ask for them again."""
        stalled, self._shared.stalled = self._shared.stalled, {}
        for url, job in stalled.items():
            await bounded(self._wire.delete(url, job), self._limits.cleanup)

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """Render one clip into the file `to`, which appears only when it is finished.

        Raises:
            RenderError: it cannot be asked for so, or gave no usable clip.
            BlockedError: the server's safety checks refused it.
            BackendError: no server renders it at the moment.
            OSError: the disk or folder failed.
        """
        started = time.perf_counter()
        if self._model is None:
            raise RuntimeError("render() before connect(): the model is not known yet")
        check(prompt, spec, seed, distilled=self._distilled)
        request = await asyncio.to_thread(build, prompt, spec, seed, self._config, self._model)
        log.info("render start seed=%d to=%s", seed, to)
        with written_aside(to) as part:
            part.touch()  # a folder that cannot be written to shall not cost a render
            course = Course(self._shared, request, to, Telling(self._tell, seed))
            try:
                clip = await self._made(course, request, spec, seed, to, part, started)
                deliver(part, clip, prompt)
            finally:
                slip.remove(to)
                unwanted = await bounded(course.forget(), self._limits.cleanup)
            if unwanted:  # cancelled when all was done: nobody has heard of the clip
                taken_back(to)
                raise asyncio.CancelledError
        log.info("render done seed=%d to=%s %.2fs", seed, to, clip.seconds)
        return clip

    async def _made(
        self, course: Course, request: Request, spec: RenderSpec, seed: int, to: Path, part: Path, started: float
    ) -> Clip:
        multiplier = 2**self._config.rife
        most = spec.width * spec.height * 3 * spec.num_frames * multiplier + HEADER_BYTES
        job, record = await course.download(part, most)
        effective, interpolation = await asyncio.to_thread(_verified, part, spec, multiplier)
        notes = (*request.notes, *interpolation, *self._remarks(spec, effective))
        return Clip(
            path=to,
            seed=seed,
            spec=spec,
            effective=effective,
            seconds=round(time.perf_counter() - started, 3),
            generator=self.id,
            rendering=Rendering(
                model=record.model or self._model or "",
                version=f"vllm-omni {self._versions.get(job.url, '')}".rstrip(),
                endpoint=job.url,
                job=job.id,
                guardrails=self._guardrails if spec.guardrails else "off",
                queue_seconds=round(course.queue_seconds, 3),
                render_seconds=None if course.render_seconds is None else round(course.render_seconds, 3),
                attempts=course.attempts,
                lost_seconds=round(course.lost_seconds, 3),
            ),
            notes=notes,
        )

    def _remarks(self, spec: RenderSpec, effective: Effective) -> list[str]:
        notes = []
        if spec.guardrails and self._guardrails == "off":
            notes.append("Safety checks were asked for, but the server was started without them: none acted.")
        if spec.sound and not effective.audio:
            notes.append("Sound was asked for, and the server delivered none.")
        if self._distilled:
            notes.append("A distilled checkpoint has its own steps, guidance and shift: those asked for did not act.")
        return notes

    async def _introduced(self, url: str) -> list[str] | str:
        """The models that a server lists, or why it cannot be used. Remembers its version."""
        try:
            await self._wire.health(url)
            self._versions[url] = await self._wire.version(url)
            names = self._shared.served[url] = await self._wire.models(url)
        except (SilentError, BackendError) as error:
            return str(error)
        return names

    async def _healthy(self, url: str) -> bool:
        names = await self._introduced(url)
        if isinstance(names, str) or self._model not in names:
            return False
        if (stalled := self._shared.stalled.get(url)) is not None:
            record = await self._wire.record(url, stalled)
            if record is not None and record.status == "in_progress":
                return False  # it answers, and renders nothing
            self._shared.stalled.pop(url, None)
        return True


def _verified(part: Path, spec: RenderSpec, multiplier: int) -> tuple[Effective, list[str]]:
    """Hold the file against what was asked for; RIFE adds frames between the rendered ones, where the server has it."""
    if multiplier == 1:
        return verify(part, spec), []
    # vllm_omni/diffusion/postprocess/rife_interpolator.py: 2^n - 1 frames between every two
    more = spec.model_copy(update={"num_frames": (spec.num_frames - 1) * multiplier + 1, "fps": spec.fps * multiplier})
    if probe(part).num_frames == spec.num_frames:  # vLLM-Omni 0.30 ignores it for Cosmos3
        note = f"The server did not interpolate: {multiplier} times the frames were asked for (generator.rife)."
        return verify(part, spec), [note]
    effective = verify(part, more)
    note = f"The server interpolated by RIFE: {more.num_frames} frames at {more.fps} fps of {spec.num_frames} rendered."
    return effective, [note]
