"""The generator of fal's hosted models: a request made exact, queued, watched, fetched, verified, delivered."""

import asyncio
import base64
import io
import logging
import time
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel, ValidationError

from generator import first_frame, job_slip
from generator.config import FalConfig
from generator.delivery import deliver, written_aside
from generator.fal.download import download, file_client
from generator.fal.faults import Faults
from generator.fal.models import COSMOS3, arguments, notes, price
from generator.fal.types import Answered, Pace, Stage, UnsettledError
from generator.probe import verify
from generator.types import BackendError, Clip, Progress, RenderError, Rendering, RenderSpec, Tell, telling_of

FAL_VERSION = 1
"""Goes up with every change of what is sent or kept that changes pixels: finished renders are remembered under it."""
TELL_SECONDS = 1.0

log = logging.getLogger("generator.fal")


def _nobody(progress: Progress) -> None:
    """Nobody listens."""


class _File(BaseModel):
    url: str


class _Answer(BaseModel):
    """What of a model's output is read; the rest is what the file itself says better."""

    video: _File
    seed: int | None = None


class Fal:
    """A model hosted by fal. Every render costs money, also one that comes out other than asked.

    Args:
        config: the model and its limits.
        key: the account's. Never shown.
        tell: listener of the renders.
        pace: how often fal is asked.

    Raises:
        BackendError: fal's client is not installed, or the key cannot be one.
    """

    def __init__(self, config: FalConfig, key: str, tell: Tell = _nobody, *, pace: Pace | None = None) -> None:
        try:
            from generator.fal.queue import Queue  # noqa: PLC0415 - an extra: prices are known without it
        except ModuleNotFoundError as missing:
            raise BackendError(
                f"The backend fal needs fal's client ({missing}). pip install '.[fal]' in Retake's folder, or "
                "fal-client."
            ) from missing
        key = key.strip()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise BackendError(f"{config.api_key_env} holds no key of fal's. Set it to the one of your account.")
        self._config, self._tell, self._pace = config, tell, pace or Pace()
        faults = Faults(config.model, key, config.api_key_env)
        self._queue = Queue(config.model, key, faults=faults, seconds=config.timeout_seconds, pace=self._pace)
        self._files = file_client()
        self._slots = asyncio.Semaphore(config.concurrency)

    @property
    def id(self) -> str:
        """Backend, version and model."""
        return f"fal/{FAL_VERSION}/{self._config.model}"

    async def close(self) -> None:
        """Close the connections."""
        await self._queue.close()
        await self._files.aclose()

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """Render one clip into the file `to`, which appears only when it is finished.

        Raises:
            RenderError: the model cannot do this or refused it, or gave something else than asked.
            BackendError: fal did not render it, for other reasons.
            OSError: the disk or folder failed.
        """
        started = time.monotonic()
        log.info("render start seed=%d to=%s", seed, to)
        try:
            clip = await self._rendered(prompt, spec, seed, to, started)
        except (UnsettledError, OSError):
            raise  # what is paid shall be found again: the slip stays
        except BaseException:
            job_slip.remove(to)
            raise
        job_slip.remove(to)
        log.info("render done seed=%d to=%s %.2fs", seed, to, clip.seconds)
        return clip

    async def _rendered(self, prompt: str, spec: RenderSpec, seed: int, to: Path, started: float) -> Clip:
        with written_aside(to) as part:
            part.touch()  # a folder that cannot be written to is found out before a render is paid
            image = await asyncio.to_thread(_data_uri, spec)
            request = arguments(self._config, prompt, spec, seed, image)
            cost = price(self._config, spec)
            teller = _Teller(telling_of(to, self._tell), seed, self._queue.endpoint, cost)
            bill = "" if cost is None else f" (${cost:.2f})"
            async with self._slots:
                waited = time.monotonic() - started
                done = await self._queue.answer(request, teller, bill, to)
                rendering = Rendering(
                    model=self._config.model,
                    endpoint=self._queue.endpoint,
                    job=done.job,
                    guardrails=self._guardrails(spec),
                    queue_seconds=round(waited + done.queue_seconds, 3),
                    render_seconds=None if done.render_seconds is None else round(done.render_seconds, 3),
                    attempts=1 + done.lost,
                    price_usd=None if cost is None else round(cost * (1 + done.lost), 4),
                )
                try:
                    answer = self._read(done, seed)
                    teller("delivering", 0.0, "")
                    await download(self._files, answer.video.url, part, pause_seconds=self._pace.first_pause)
                    effective = await asyncio.to_thread(verify, part, spec)
                except RenderError as error:
                    error.rendering = rendering  # it is billed all the same
                    raise
                except (asyncio.CancelledError, BackendError, OSError) as error:
                    teller("abandoned", done.render_seconds or 0.0, f"fal had rendered it already. It is billed{bill}.")
                    if isinstance(error, BackendError):
                        raise UnsettledError(str(error)) from error
                    raise
            clip = Clip(
                path=to,
                seed=seed,
                spec=spec,
                effective=effective,
                seconds=round(time.monotonic() - started, 3),
                generator=self.id,
                rendering=rendering,
                notes=(*notes(self._config, spec), *_said(done, answer)),
            )
            return deliver(part, clip, prompt)

    def _read(self, done: Answered, seed: int) -> _Answer:
        try:
            answer = _Answer.model_validate(done.body)
        except ValidationError:  # its text may hold the whole answer
            raise RenderError(
                f"{self._config.model} ended request {done.job} without a video in its answer. Try another seed."
            ) from None
        if answer.seed not in {seed, None}:
            raise RenderError(
                f"{self._config.model} rendered with another seed: {seed} was requested, {answer.seed} came back. "
                "Another request would not be comparable; report it to fal."
            )
        return answer

    def _guardrails(self, spec: RenderSpec) -> Literal["on", "unknown"]:
        return "on" if self._config.model == COSMOS3 and spec.guardrails else "unknown"


class _Teller:
    """Tells where one render stands: each new stage at once, the same one about once a second."""

    def __init__(self, tell: Tell, seed: int, endpoint: str, cost: float | None) -> None:
        self._tell, self._seed, self._endpoint, self._cost = tell, seed, endpoint, cost
        self._last: tuple[str, float] = "", 0.0

    def __call__(self, stage: Stage, seconds: float, note: str) -> None:
        last, at = self._last
        now = time.monotonic()
        if stage != last or now - at >= TELL_SECONDS:
            self._last = stage, now
            cost = self._cost if stage == "abandoned" else None  # fal does not say; a limit shall hold all the same
            where = self._endpoint
            self._tell(
                Progress(seed=self._seed, stage=stage, seconds=seconds, endpoint=where, note=note, price_usd=cost)
            )


def _data_uri(spec: RenderSpec) -> str | None:
    """The first frame as a lossless data URI, without the metadata of its file."""
    if spec.first_frame is None:
        return None
    pixels: Any = first_frame.load(spec.first_frame, spec.width, spec.height)
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


def _said(done: Answered, answer: _Answer) -> tuple[str, ...]:
    said = []
    if done.lost:
        said.append("fal no longer had the clip that a killed session asked for: the price is that of both renders.")
    if answer.seed is None:
        said.append("fal did not say which seed it used.")
    if done.inference_seconds is not None:
        said.append(f"fal states {done.inference_seconds:.1f} s of inference.")
    return tuple(said)
