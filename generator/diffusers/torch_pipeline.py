"""A Diffusers pipeline, called as the backend's seam says."""

import gc
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from PIL import Image

from generator import first_frame
from generator.capabilities import Family
from generator.diffusers import arguments, source
from generator.diffusers.guardrails import Guardrail, Unchecked
from generator.diffusers.pipeline import Film, Frame, Offload, OnStep
from generator.types import RenderSpec

PROMPT_TOKENS: dict[Family, int] = {"predict2.5": 512, "cogvideox": 226}
"""What the pipelines cut a prompt to, without a word."""
FRAMES_AT_ONCE = 16
"""Turned into bytes on the device: all of them as floats would double a long clip's memory."""


class TorchPipeline:
    """A Diffusers pipeline on one device. Implements `generator.diffusers.pipeline.Pipeline`."""

    def __init__(
        self, torch: Any, library: Any, base: Any, place: Any, family: Family, sigmas: Sequence[float] | None
    ) -> None:
        """Wrap a loaded pipeline.

        Args:
            torch: the module.
            library: the module `diffusers`.
            base: the pipeline, in main memory.
            place: a `torch.device`.
            family: which kind it is.
            sigmas: the fixed schedule of a distilled checkpoint; None: any.
        """
        self._torch, self._library, self._base, self._place, self._family = torch, library, base, place, family
        self._scheduler = base.scheduler
        self._sigmas = sigmas
        self._guardrail: Guardrail | None = None
        base.set_progress_bar_config(disable=True)
        self._distilled: Any = None
        if sigmas is not None:
            blocks = library.Cosmos3DistilledBlocks()
            _quiet(blocks)
            self._distilled = blocks.init_pipeline()
            self._distilled.update_components(
                transformer=base.transformer,
                vae=base.vae,
                text_tokenizer=base.text_tokenizer,
                scheduler=base.scheduler,
                distilled_sigmas=list(sigmas),
                enable_safety_checker=False,
            )

    @property
    def version(self) -> str:
        """Of the libraries."""
        return f"diffusers {self._library.__version__}, torch {self._torch.__version__}"

    @property
    def fixed_steps(self) -> int | None:
        """Steps of a distilled checkpoint; None: any."""
        return None if self._sigmas is None else len(self._sigmas)

    @property
    def makes_sound(self) -> bool:
        """Whether there are modules for sound."""
        has_voice = getattr(self._base, "sound_tokenizer", None) is not None
        return has_voice and bool(getattr(self._base.transformer.config, "sound_gen", False))

    def guard(self) -> None:
        """Load NVIDIA's checks.

        Raises:
            BackendError: they cannot be loaded.
        """
        if self._guardrail is None and self._family != "cogvideox":
            self._guardrail = Guardrail.loaded()

    def render(self, prompt: str, spec: RenderSpec, seed: int, on_step: OnStep) -> Film:
        """Render: see the Protocol."""
        given, notes = arguments.call(self._family, prompt, spec)
        acting = self._arm(spec)
        notes += self._schedule(spec) + self._cut(prompt)
        given |= self._conditioning(spec)
        given["generator"] = self._torch.Generator("cpu").manual_seed(seed)
        # what a checker hands back as a tensor was cut to whole numbers on its way: a little darker than as pictures
        given["output_type"] = "pil" if acting else "pt"
        steps = 0

        def after_step(pipe: Any, index: int, _timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
            nonlocal steps
            steps = index + 1
            on_step(steps, pipe.num_timesteps)
            return values  # the pipeline goes on with what it is handed back

        try:
            sound = None
            match self._family:
                case "cosmos3_distilled":
                    video = self._distilled(**given)
                    steps = len(self._sigmas or ())
                case "cosmos3":
                    made = self._base(**given, callback_on_step_end=after_step)
                    video, sound = made.video, made.sound
                case _:
                    video = self._base(**given, callback_on_step_end=after_step).frames[0]
        finally:  # of the modular pipeline, and of a render that was cut short, nobody else sends the models back
            self._base.maybe_free_model_hooks()
        if acting is not None:
            notes += acting.acted()
        guardrails: Literal["on", "off", "none"] = "none"
        if self._family != "cogvideox":
            guardrails = "on" if acting else "off"
        if sound is None:
            return Film(self._pixels(video), steps, guardrails, notes=notes)
        rate = int(self._base.sound_tokenizer.config.sampling_rate)
        return Film(self._pixels(video), steps, guardrails, sound.float().cpu().numpy(), rate, notes)

    def offload(self, how: Offload) -> None:
        """Place the models: all on the device, or brought there when they are needed."""
        match how:
            case "none":
                self._base.to(self._place)
            case "model":
                self._base.enable_model_cpu_offload(device=self._place)
            case "sequential":
                self._base.enable_sequential_cpu_offload(device=self._place)

    def free(self) -> None:
        """Give unused memory back to the device."""
        gc.collect()
        if self._place.type == "cuda":
            self._torch.cuda.empty_cache()

    def close(self) -> None:
        """Drop the models."""
        self._base = self._distilled = self._scheduler = self._guardrail = None
        self.free()

    def _arm(self, spec: RenderSpec) -> Guardrail | None:
        """Put the safety checks where this pipeline asks them, or away. Returns those that will act."""
        if self._family == "cogvideox":
            return None
        if spec.guardrails:
            self.guard()
        acting = self._guardrail if spec.guardrails else None
        if acting is not None:
            acting.begin()
        checker = None if acting is None else acting.checker
        match self._family:
            case "cosmos3":
                self._base.register_modules(safety_checker=checker)
            case "cosmos3_distilled" if checker is not None:
                self._distilled.enable_safety_checker(checker)
            case "cosmos3_distilled":
                self._distilled.disable_safety_checker()
            case _:
                self._base.register_modules(safety_checker=checker or Unchecked())
        return acting

    def _schedule(self, spec: RenderSpec) -> tuple[str, ...]:
        notes: tuple[str, ...] = ()
        if self._sigmas is None:
            scheduler = self._scheduler
            if spec.flow_shift is not None:
                changes, notes = arguments.shifted(scheduler.config, spec.flow_shift)
                scheduler = type(scheduler).from_config(scheduler.config, **changes)
            self._base.register_modules(scheduler=scheduler)
        return notes

    def _cut(self, prompt: str) -> tuple[str, ...]:
        limit = PROMPT_TOKENS.get(self._family)
        if limit is None:
            return ()
        tokens = len(self._base.tokenizer(prompt).input_ids)
        return (f"The prompt has {tokens} tokens; the model reads the first {limit}.",) if tokens > limit else ()

    def _conditioning(self, spec: RenderSpec) -> dict[str, Any]:
        size = (spec.width, spec.height)
        if spec.source_video is not None:
            frames = source.load(spec.source_video, *size)
            return {"video": [Image.fromarray(frame) for frame in frames]}
        if spec.first_frame is not None:
            return {"image": Image.fromarray(first_frame.load(spec.first_frame, *size))}
        return {}

    def _pixels(self, video: Any) -> list[Frame]:
        """Frames as bytes in main memory, rounded as Diffusers itself does for pictures."""
        if isinstance(video, list):
            return [np.asarray(picture.convert("RGB")) for picture in video]
        return list(self._bytes(video))

    def _bytes(self, video: Any) -> Iterator[Frame]:
        for some in video.split(FRAMES_AT_ONCE):
            whole = (some.float() * 255).round().clamp(0, 255).to(self._torch.uint8)
            yield from whole.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _quiet(block: Any) -> None:
    """Progress bars of a modular pipeline belong to its innermost blocks."""
    if hasattr(block, "set_progress_bar_config"):
        block.set_progress_bar_config(disable=True)
    for inner in getattr(block, "sub_blocks", {}).values():
        _quiet(inner)
