"""`VLLMOmni`: the generator behind the Protocol."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import httpx

from generator import job_slip
from generator.capabilities import family
from generator.config import DiffusersConfig, VLLMOmniConfig
from generator.delivery import deliver, taken_back, written_aside
from generator.pool import Pool
from generator.types import (
    BackendError,
    Clip,
    Effective,
    Progress,
    RenderError,
    Rendering,
    RenderSpec,
    Tell,
    telling_of,
)
from generator.vllm_omni.cleaning import bounded
from generator.vllm_omni.course import Course
from generator.vllm_omni.failures import SilentError
from generator.vllm_omni.limits import Limits
from generator.vllm_omni.request import Request, build, check
from generator.vllm_omni.shared import Shared
from generator.vllm_omni.telling import Telling
from generator.vllm_omni.verifying import verified
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
        """Delete our jobs that could not be deleted before: nobody will ask for them again."""
        await bounded(self._shared.close(), 2 * self._limits.cleanup)
        for job in self._shared.unwanted:
            log.warning("%s has not confirmed that it deleted the job %s", job.url, job.id)

    def settle(self, to: Path) -> None:
        """A killed session delivered the clip `to`, and left its job: have that deleted at the next chance."""
        job = job_slip.read(to)
        if job is not None and job.url in self._shared.pool.urls:
            self._shared.unwanted.append(job)
        job_slip.remove(to)

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
            course, keep = Course(self._shared, request, to, Telling(telling_of(to, self._tell), seed)), False
            try:
                clip = await self._made(course, request, spec, seed, to, part, started)
                deliver(part, clip, prompt)
            except (BackendError, OSError):
                keep = course.unfinished  # the next session finds the job by its slip
                raise
            finally:
                if not keep:
                    job_slip.remove(to)
                unwanted = await bounded(course.forget(keep=keep), self._limits.cleanup)
            if unwanted:  # cancelled when all was done: nobody has heard of the clip
                taken_back(to)
                course.spoilt("Cancelled in the moment that it was delivered.")
                raise asyncio.CancelledError
        log.info("render done seed=%d to=%s %.2fs", seed, to, clip.seconds)
        return clip

    async def _made(
        self, course: Course, request: Request, spec: RenderSpec, seed: int, to: Path, part: Path, started: float
    ) -> Clip:
        multiplier = 2**self._config.rife
        most = spec.width * spec.height * 3 * spec.num_frames * multiplier + HEADER_BYTES
        job, record = await course.download(part, most)
        try:
            effective, interpolation = await asyncio.to_thread(verified, part, spec, multiplier)
            version = await self._version(job.url)
        except asyncio.CancelledError:
            await bounded(course.abandon(), self._limits.cleanup)
            raise
        except RenderError as error:
            course.spoilt(f"It gave no clip: {error}")
            raise
        notes = (*request.notes, *interpolation, *self._remarks(spec, effective, course))
        return Clip(
            path=to,
            seed=seed,
            spec=spec,
            effective=effective,
            seconds=round(time.perf_counter() - started, 3),
            generator=self.id,
            rendering=Rendering(
                model=record.model or self._model or "",
                version=f"vllm-omni {version}".rstrip(),
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

    async def _version(self, url: str) -> str:
        """As it is now: a server that has been restarted may be another one. As it last was where it says nothing."""
        with suppress(SilentError, TimeoutError):
            async with asyncio.timeout(self._limits.cleanup):
                self._versions[url] = await self._wire.version(url)
        return self._versions.get(url, "")

    def _remarks(self, spec: RenderSpec, effective: Effective, course: Course) -> list[str]:
        notes = []
        if course.found_finished:
            notes.append("It was found finished on the server after an interruption: how long it took is not known.")
        if course.attempts > 1:
            notes.append(
                f"It was sent {course.attempts} times, as servers failed or lost it: {course.lost_seconds:.0f} s of "
                "their work gave nothing. A budget of renders does not count these (generator.resubmit)."
            )
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
            record = await self._wire.record(url, stalled.id)
            if record is not None and record.status == stalled.status:
                return False  # it answers, and renders nothing
            self._shared.stalled.pop(url, None)
        return True
