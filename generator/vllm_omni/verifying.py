"""Whether a clip is what was asked for."""

from pathlib import Path

from generator.probe import probe, verify
from generator.types import Effective, RenderSpec


def verified(part: Path, spec: RenderSpec, multiplier: int) -> tuple[Effective, list[str]]:
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
